/** What a scripted model is asked, and what it says, whatever protocol it comes by. */

export interface ChatMessage {
  role: string;
  content?: string | { type: string; text?: string }[] | null;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}
export interface ToolUse {
  id?: string;
  name: string;
  input: unknown;
  /** Instead of the input as JSON. */
  arguments?: string;
}
export interface ModelCall {
  messages: ChatMessage[];
  n: number;
  model: string;
  tools: string[];
  /** What the model is told of each tool. */
  described: Record<string, string>;
  /** Which protocol it came by. */
  path: string;
  /** Everything that was asked, as it came. */
  body: Record<string, unknown>;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Another protocol: how a request reads in the words of chat completions, and how a reply is told. */
export interface Wire {
  path: string;
  read(body: Record<string, unknown>): Pick<ModelCall, 'messages' | 'described'>;
  /** What is sent for all that is said, and for the end, without which the answer has broken off. */
  write(reply: Said, call: ModelCall): { said: object[]; end: object[] };
}
/** What is said. `finish`: why it ended; null when the stream ends without an end. */
export interface Said {
  text?: string;
  /** Words of the text that are not said before something has happened. */
  held?: { word: string; until: Promise<unknown> }[];
  reasoning?: string;
  tools?: ToolUse[];
  /** Tools that the provider runs itself, with what came of them. */
  ran?: { name: string; input: object; output?: string; failed?: boolean }[];
  finish?: string | null;
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
  /** Behind what is said: nothing more comes until the caller goes away, the connection breaks, or an error of the provider's comes on the stream. */
  breaks?: 'stall' | 'drop' | { error: { type: string; message: string } };
}

export const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

/** By the place of the call and of the use in it, unless the script has one. */
export function idOf(use: ToolUse, { n }: ModelCall, index: number): string {
  return use.id ?? `call-${n}-${index}`;
}

export function argumentsOf(use: ToolUse): string {
  return use.arguments ?? JSON.stringify(use.input);
}

/** So that a text comes in more than one piece. */
export function words(text: string): string[] {
  return text.split(/(?<= )/u);
}
