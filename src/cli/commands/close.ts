/** `outlive close <session>`: ends a session in order. */
import { asGiven } from '../program.ts';
import { openClient, type ClientArguments } from '../open-client.ts';

export interface CloseArguments extends ClientArguments {
  reason?: string;
  runs?: 'keep' | 'cancel';
  turn?: 'cancel' | 'finish';
  json?: true;
}

export async function close(id: string, { json, reason, runs, turn, ...where }: CloseArguments): Promise<void> {
  const { client } = await openClient(where);
  const options = {
    ...(reason === undefined ? {} : { reason }),
    ...(runs === undefined ? {} : { runs }),
    ...(turn === undefined ? {} : { turn }),
  };
  const receipt = await asGiven(async () => client.session(id).close(options));
  console.log(json === true ? JSON.stringify(receipt) : `The session ${id} is closing.`);
}
