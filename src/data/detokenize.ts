// Corpora that come as words between spaces, turned back into text as people write it. LM1B ("The One Billion Word Benchmark") is the one
// that is in use; the rules and their order are those of the detokenizer of SEDD and MDLM, so that texts are comparable.

/** Name of a corpus. */
export type Detokenizer = keyof typeof detokenizers;

// \w of Python's re: letters, digits and _ of every script.
const word = String.raw`[\p{L}\p{N}_]`;

const lm1bRules: readonly (readonly [string | RegExp, string])[] = [
  ['http : / / ', 'http://'],
  ['https : / / ', 'https://'],
  [new RegExp(` '(${word}+)`, 'gu'), "'$1"], // it 's -> it's
  [new RegExp(` (${word}+) \\. `, 'gu'), ' $1. '],
  [new RegExp(` (${word}+) \\.$`, 'gu'), ' $1.'],
  [' ? ', '? '],
  [/ \?$/g, '?'],
  [' ! ', '! '],
  [/ !$/g, '!'],
  [' , ', ', '],
  [' : ', ': '],
  [' ; ', '; '],
  [' / ', '/'],
  [/" ([^"]+) "/g, '"$1"'],
  [/' ([^']+) '/g, "'$1'"],
  [/\( ([^()]+) \)/g, '($1)'],
  [/\[ ([^[\]]+) \]/g, '[$1]'],
  ['$ ', '$$'],
  ['£ ', '£'],
];

/** One sentence of LM1B as text. @example lm1b("It 's 5 p.m. , he said .") // "It's 5 p.m., he said." */
function lm1b(sentence: string): string {
  let text = sentence;
  for (const [from, to] of lm1bRules) text = text.replaceAll(from, to);
  return text;
}

export const detokenizers = { lm1b };
