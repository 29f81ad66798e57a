/**
 * The fields and methods that a TypeScript source declares, read from its text by the depth of its brackets. What is not found is an error,
 * so that nobody compares with nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export interface Member {
  name: string;
  isOptional: boolean;
  /** What stands before it. */
  comment: string;
  /** Its declaration, without comments. */
  text: string;
}

/** A text without comments, strings blanked out, of the same length: what is left is code, at the same place. */
function codeOf(text: string): string {
  const blank = (found: string): string => found.replaceAll(/[^\n]/gu, ' ');
  return text.replaceAll(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/gu,
    blank,
  );
}

/** Where the bracket at `open` is closed. */
function closeOf(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if ('{(['.includes(code.charAt(i))) depth++;
    if ('})]'.includes(code.charAt(i)) && --depth === 0) return i;
  }
  throw new Error(`Expected "${code.slice(open, open + 40)}" to be closed.`);
}

/** What stands in the braces of a text that are in no others. */
function objectsIn(text: string): string[] {
  const code = codeOf(text);
  const found: string[] = [];
  for (let i = 0; i < code.length; i++) {
    const char = code.charAt(i);
    if (!'{(['.includes(char)) continue;
    const end = closeOf(code, i);
    if (char === '{') found.push(text.slice(i + 1, end));
    i = end;
  }
  return found;
}

/** The pieces of a body: each ends with a semicolon or, in a class, with a method's closing brace. */
function piecesOf(body: string, inClass: boolean): string[] {
  const code = codeOf(body);
  const pieces: string[] = [];
  let start = 0;
  for (let i = 0; i < code.length; i++) {
    const char = code.charAt(i);
    if ('{(['.includes(char)) i = closeOf(code, i);
    // A type goes on behind its closing brace, on the same line.
    const isEnd = char === ';' || (inClass && char === '{' && /^[ \t]*(?:\n|$)/u.test(code.slice(i + 1)));
    if (!isEnd) continue;
    pieces.push(body.slice(start, i + 1));
    start = i + 1;
  }
  return [...pieces, body.slice(start)];
}

const MEMBER = /^(?:(?:public|readonly|async|get) )*\*?(?<name>[a-z]\w*)(?<optional>\?)?(?=[:(<;]| =)/iu;

function membersOf(body: string, inClass = false): Member[] {
  return piecesOf(body, inClass).flatMap((piece) => {
    const bare = codeOf(piece);
    const start = bare.search(/\S/u);
    if (start < 0) return [];
    const text = piece.slice(start).trim();
    if (/^(?:private|static|constructor\b|(?:async )?\[)/u.test(text)) return [];
    const { name, optional } = MEMBER.exec(text)?.groups ?? {};
    if (name === undefined) throw new Error(`Expected a field or a method, got "${text.slice(0, 80)}".`);
    return [{ name, isOptional: optional !== undefined, comment: piece.slice(0, start), text }];
  });
}

function some(members: Member[], what: string): Member[] {
  if (members.length === 0) throw new Error(`Expected ${what} to have fields, got none.`);
  return members;
}

/** The members of an interface or the public ones of a class, less those that it extends. */
export function membersIn(file: string, name: string): Member[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const code = codeOf(text);
  const [found, kind] = new RegExp(`^(?:export )?(interface|class) ${name}\\b[^{]*`, 'mu').exec(code) ?? [];
  if (found === undefined)
    throw new Error(`Expected ${file} to declare ${name}, found no interface or class of that name.`);
  const open = code.indexOf(found) + found.length;
  return some(membersOf(text.slice(open + 1, closeOf(code, open)), kind === 'class'), name);
}

/** What a type says that is an alias, up to its semicolon. */
export function aliasIn(file: string, name: string): string {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const start = codeOf(text).search(new RegExp(`^(?:export )?type ${name}\\b`, 'mu'));
  if (start < 0) throw new Error(`Expected ${file} to declare ${name}, found no type of that name.`);
  const [alias = ''] = piecesOf(text.slice(start), false);
  return alias;
}

/** The fields of the objects that a type is made of, for example of those in a union. */
export function fieldsOf(type: string): Member[] {
  const fields = objectsIn(type).flatMap((body) => membersOf(/;\s*$|^\s*$/u.test(body) ? body : `${body};`));
  return some(fields, `"${type.slice(0, 80)}"`);
}

export function memberOf(members: readonly Member[], name: string): Member {
  const found = members.find((one) => one.name === name);
  if (found === undefined)
    throw new Error(`Expected a field or method ${name}, got ${members.map((m) => m.name).join(', ')}.`);
  return found;
}

/** The type of a method's arguments: what stands in its parentheses. */
export function argumentsOf({ text, name }: Member): string {
  const open = codeOf(text).indexOf('(');
  if (open < 0) throw new Error(`Expected ${name} to be a method.`);
  return text.slice(open + 1, closeOf(codeOf(text), open));
}
