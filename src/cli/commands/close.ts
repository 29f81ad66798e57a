/** `outlive close <session>`: ends a session in order. */
import { openClient, type ClientArguments } from '../open-client.ts';

export interface CloseArguments extends ClientArguments {
  reason?: string;
  runs?: 'keep' | 'cancel';
  turn?: 'cancel' | 'finish';
  json?: true;
}

export async function close(id: string, { json, reason, runs, turn, ...where }: CloseArguments): Promise<void> {
  const client = await openClient(where);
  const receipt = await client.session(id).close({
    ...(reason === undefined ? {} : { reason }),
    ...(runs === undefined ? {} : { runs }),
    ...(turn === undefined ? {} : { turn }),
  });
  console.log(json === true ? JSON.stringify(receipt) : `The session ${id} is closing.`);
}
