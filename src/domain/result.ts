/** How the result of a run travels and is kept. */
import { jsonBytes, previewOf } from './json.ts';
import { PREVIEW_BYTES, RESULT_BYTES } from './sizes.ts';
import type { Json } from './types.ts';

/** Whole, or, if it is large, its beginning and the run's workflow id, where the whole is read. */
export function resultAsTold(result: Json, workflowId: string): { result: Json } | { preview: string; resultRef: string } {
  return jsonBytes(result) <= RESULT_BYTES ? { result } : { preview: previewOf(result, PREVIEW_BYTES), resultRef: workflowId };
}
