/** A language model that is a script and says so: the example runs without a key. It reads what it needs from the prompt, as a model would. */
import { createHash } from 'node:crypto';
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Prompt } from '@ai-sdk/provider';
import { languageModel, type ModelAnswer } from '../../src/testing/model/language-model.ts';

/** The parts of every question, as a script has them. */
const PARTS = ['What is promised:', 'Which bounds and limits are there:', 'What becomes of errors and losses:'];
const FRAME =
  /<background-run id="[^"]*" agent="investigator" status="(\w+)"[^>]*>\n[^\n]*\n(.*)\n<\/background-run>/gu;

interface Call {
  name: string;
  output: unknown;
}

export function scriptedResearch(): LanguageModelV4 {
  return languageModel({ provider: 'demo', modelId: 'research', answer: answerTo });
}

function answerTo({ prompt, tools = [] }: LanguageModelV4CallOptions): ModelAnswer {
  const id = createHash('sha256').update(JSON.stringify(prompt)).digest('hex').slice(0, 16);
  const can = (name: string): boolean => tools.some((tool) => tool.name === name);
  const said = can('report_result') ? investigate(prompt) : research(prompt);
  const { text = '', calls = [] } = typeof said === 'string' ? { text: said } : said;
  return {
    id: `research-${id}`,
    text,
    toolCalls: calls.map(({ name, input }, i) => ({ toolCallId: `call-${id}-${i}`, toolName: name, input })),
  };
}

type Said = string | { text?: string; calls?: { name: string; input: unknown }[] };

function research(prompt: LanguageModelV4Prompt): Said {
  const [question = ''] = textsOf(prompt).filter((text) => !text.includes('<background-run'));
  const done = callsOf(prompt);
  const starts = done.filter(({ name }) => name === 'start_run');
  const topic = question.replaceAll(/[?.!]+$/gu, '');
  if (starts.length === 0)
    return {
      text: 'I have three parts of that looked into at once.',
      calls: PARTS.map((part) => ({
        name: 'start_run',
        input: {
          agent: 'investigator',
          input: { question: `${part} ${topic}?` },
          label: part.slice(0, -1).toLowerCase(),
        },
      })),
    };
  const published = done.find(({ name }) => name === 'publish');
  if (published !== undefined) return conclusion(published.output);
  const findings = textsOf(prompt).flatMap((text) =>
    [...text.matchAll(FRAME)].map(([, status = '', body = '{}']) => findingIn(status, body)),
  );
  if (findings.length < PARTS.length)
    return findings.length === 0
      ? 'They work in the background. Ask me anything meanwhile.'
      : `${findings.length} of ${PARTS.length} have reported.`;
  return {
    text: 'All three have reported. I would publish this:',
    calls: [{ name: 'publish', input: { title: topic, text: findings.map((one) => `- ${one}`).join('\n') } }],
  };
}

function findingIn(status: string, body: string): string {
  const { result } = JSON.parse(body) as { result?: { finding?: string; sources?: string[] } };
  return result?.finding === undefined ? `(${status})` : `${result.finding} (${result.sources?.join('; ') ?? ''})`;
}

function conclusion(output: unknown): string {
  const text = JSON.stringify(output);
  const file = /"file":"([^"]+)"/u.exec(text)?.[1];
  return file === undefined ? `It is not published: ${text}` : `It is published in ${file}.`;
}

function investigate(prompt: LanguageModelV4Prompt): Said {
  const question = textsOf(prompt).join(' ');
  const done = callsOf(prompt);
  const found = done.find(({ name }) => name === 'search_library');
  if (found === undefined) return { calls: [{ name: 'search_library', input: { query: question } }] };
  if (done.some(({ name }) => name === 'report_result')) return 'That is what I found.';
  const passages = Array.isArray(found.output) ? (found.output as { source: string; text: string }[]) : [];
  const [best] = passages;
  const result = {
    finding: best?.text ?? 'The library has nothing on that.',
    sources: passages.slice(0, 1).map(({ source }) => source),
  };
  return { calls: [{ name: 'report_result', input: { result } }] };
}

/** What users have said, in order, part by part. */
function textsOf(prompt: LanguageModelV4Prompt): string[] {
  return prompt.flatMap(({ role, content }) =>
    role === 'user' ? content.flatMap((part) => (part.type === 'text' ? [part.text] : [])) : [],
  );
}

/** The calls that have their results. */
function callsOf(prompt: LanguageModelV4Prompt): Call[] {
  return prompt.flatMap(({ role, content }) =>
    role === 'tool'
      ? content.flatMap((part) => {
          if (part.type !== 'tool-result') return [];
          const { output } = part;
          return [{ name: part.toolName, output: 'value' in output ? output.value : null }];
        })
      : [],
  );
}
