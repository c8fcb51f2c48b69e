// From zod's issues to sentences of this package: "train.lr must be > 0, got -1". Also finds the known key that an unknown one
// was probably meant to be.

import { inspect } from 'node:util';
import { z } from 'zod';
import { configShape } from './types.js';

/** The sentences that one zod issue stands for (one for each unknown key, else one). */
export function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path ? `${path}.${key}` : key));
  const name = path || 'the configuration';
  const got = inputOf(issue);
  if (got === undefined) return [`${name} is missing: ${descriptions.get(path) ?? `it ${requirement(issue)}`}`];
  return [`${name} ${requirement(issue)}, got ${show(got)}`];
}

/** zod reports the whole object when the field that tells its kind is wrong; the field is what was got. */
function inputOf(issue: z.core.$ZodIssue): unknown {
  if (issue.code !== 'invalid_union' || !('discriminator' in issue)) return issue.input;
  return (issue.input as Record<string, unknown> | undefined)?.[String(issue.discriminator)];
}

/** The sentence for a key that no configuration has. */
export function unknownKey(path: string): string {
  return `${path} is not a configuration key: did you mean ${nearestKey(path)}?`;
}

/** Every dotted path of a configuration with its description, in the order of the schema. */
const descriptions = new Map(paths(configShape, ''));

function* paths(schema: z.ZodType, path: string): Generator<[string, string | undefined]> {
  if (path) yield [path, schema.description];
  const inner = schema instanceof z.ZodNullable ? (schema.unwrap() as z.ZodType) : schema;
  if (!(inner instanceof z.ZodObject)) return;
  for (const [key, field] of Object.entries(inner.shape)) yield* paths(field as z.ZodType, path ? `${path}.${key}` : key);
}

/** The known path closest to `path`: the whole path counts, and its last key counts again, so that a key in the wrong section is found. */
function nearestKey(path: string): string {
  const lastKey = (dotted: string) => dotted.slice(dotted.lastIndexOf('.') + 1);
  let nearest = '';
  let least = Infinity;
  for (const known of descriptions.keys()) {
    const distance = editDistance(path, known) + 2 * editDistance(lastKey(path), lastKey(known));
    if (distance < least) [nearest, least] = [known, distance];
  }
  return nearest;
}

/** Levenshtein distance; case is ignored, and only the first 64 characters count, since no key is longer. */
function editDistance(a: string, b: string): number {
  const [left, right] = [a.slice(0, 64).toLowerCase(), b.slice(0, 64).toLowerCase()];
  let row = Array.from({ length: right.length + 1 }, (_, j) => j);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitute = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}

function requirement(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeNames[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.map((value) => show(value)).join(' or ')}`;
    case 'too_small':
      if (issue.origin === 'string') return 'must not be empty';
      return issue.origin === 'array' ? `must hold ${issue.minimum} values` : `must be ${issue.inclusive ? '>=' : '>'} ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array' ? `must hold ${issue.maximum} values` : `must be ${issue.inclusive ? '<=' : '<'} ${issue.maximum}`;
    case 'custom':
    case 'invalid_union':
      return issue.message; // written beside the rule, in the form "must be what"
    default:
      return `must be right (${issue.message})`;
  }
}

const typeNames: Record<string, string> = {
  number: 'a finite number',
  int: 'a whole number',
  string: 'text',
  object: 'an object',
  tuple: 'a list of two numbers',
};

function show(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 80 });
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}
