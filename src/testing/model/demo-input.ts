/** The input that the demo model makes of a message: what the schema of a task asks for, as far as the message has it. */
import { fields } from './prompt.ts';

const OBJECT = /\{[\s\S]*\}/u;

/** What of a message has not been used yet. */
interface Found {
  text: string;
  numbers: number[];
  quoted: string[];
  /** Words that look like a name of a file. */
  files: string[];
}

/** @param schema JSON Schema, if the task has one. */
export function inputFrom(text: string, schema: unknown): unknown {
  const given = objectIn(text);
  if (given !== undefined) return given;
  const { properties, required } = fields(schema);
  if (properties === undefined) return schema === undefined ? text : valueOf(fields(schema), true, foundIn(text));
  const needed = Array.isArray(required) ? required : [];
  const found = foundIn(text);
  const entries = Object.entries(fields(properties)).map(
    ([name, property]) => [name, valueOf(fields(property), needed.includes(name), found)] as const,
  );
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function objectIn(text: string): object | undefined {
  try {
    return JSON.parse(OBJECT.exec(text)?.[0] ?? '') as object;
  } catch {
    return undefined;
  }
}

function foundIn(text: string): Found {
  const quoted = Array.from(text.matchAll(/"([^"]+)"/gu), ([, inside = '']) => inside);
  return {
    text,
    numbers: Array.from(text.matchAll(/(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\w)/gu), ([number]) => Number(number)),
    quoted,
    files: Array.from(text.matchAll(/(?<![\w"])[\w./-]*\w\.[a-z]\w*/giu), ([word]) => word),
  };
}

/** Undefined: the message has nothing for it, and it may be left out. */
function valueOf(schema: Record<string, unknown>, isNeeded: boolean, found: Found): unknown {
  const { type, enum: values, const: only, minimum } = schema;
  if (only !== undefined) return only;
  if (Array.isArray(values))
    return values.find((value) => found.text.includes(String(value))) ?? (isNeeded ? values[0] : undefined);
  switch (type) {
    case 'integer':
    case 'number':
      return found.numbers.shift() ?? (isNeeded ? (minimum ?? 1) : undefined);
    case 'string':
      return found.quoted.shift() ?? found.files.shift() ?? (isNeeded ? found.text : undefined);
    case 'boolean':
      return isNeeded ? true : undefined;
    case 'array':
      return isNeeded ? [] : undefined;
    case 'object':
      return isNeeded ? {} : undefined;
    default:
      return isNeeded ? found.text : undefined;
  }
}
