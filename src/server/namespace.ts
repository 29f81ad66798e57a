/**
 * What a namespace must have: its retention and its search attributes. The dev server creates namespaces with one day's retention.
 */
import type { Connection } from '@temporalio/client';
import { msToTs, optionalTsToMs } from '@temporalio/common/lib/time.js';
import type { SearchAttributeKind } from './boot.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** `temporal.api.enums.v1.IndexedValueType` */
const KINDS = { Text: 1, Keyword: 2, Int: 3, Double: 4, Bool: 5, Datetime: 6, KeywordList: 7 } as const;

export interface NamespaceNeeds {
  namespace: string;
  retentionDays: number;
  searchAttributes: Readonly<Record<string, SearchAttributeKind>>;
}

/** Gives the namespace what it lacks; true when that was anything. */
export async function furnish(
  connection: Connection,
  { namespace, retentionDays, searchAttributes }: NamespaceNeeds,
): Promise<boolean> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const keepsMs = optionalTsToMs(config?.workflowExecutionRetentionTtl);
  const otherRetention = keepsMs !== retentionDays * DAY_MS;
  if (otherRetention) {
    await connection.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: msToTs(retentionDays * DAY_MS) },
    });
  }
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(searchAttributes).filter(([name]) => !(name in (customAttributes ?? {})));
  if (missing.length > 0) {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, kind]) => [name, KINDS[kind]])),
    });
  }
  return otherRetention || missing.length > 0;
}
