/** How the result of a run travels and is kept. */
import { jsonBytes, previewOf } from '../state/json.ts';
import { PREVIEW_BYTES, RESULT_BYTES } from '../state/sizes.ts';
import type { Json } from '../state/types.ts';

/** Whole, or, if it is large, its beginning and the run's workflow id, where the whole is read. */
export function resultAsTold(
  result: Json,
  workflowId: string,
): { result: Json } | { preview: string; resultRef: string } {
  return jsonBytes(result) <= RESULT_BYTES
    ? { result }
    : { preview: previewOf(result, PREVIEW_BYTES), resultRef: workflowId };
}
