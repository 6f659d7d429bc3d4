/** A rough strength of a passphrase, for a hint while it is typed. It does not replace a generated passphrase. */

export type Strength = 0 | 1 | 2 | 3;

/** Fragments that add little, because guesses begin with them. */
const COMMON =
  /password|passphrase|passwort|qwert|asdf|letmein|welcome|admin|sonar|secret|abc|(?:0?1)?234+5*6*7*8*9*0*|(.)\1{2,}/gi;

const WORDS: Record<Strength, string> = {
  0: "Too short: use 12 characters or more.",
  1: "Weak. Add words that do not belong together.",
  2: "Good.",
  3: "Strong.",
};

export const SHORTEST = 12;
const GOOD_BITS = 60;
const STRONG_BITS = 80;

/** Bits of a passphrase whose characters were chosen at random from their kinds, repeated and common parts removed. */
function bits(text: string): number {
  const rare = text.replace(COMMON, "x");
  const kinds: [RegExp, number][] = [
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/\d/, 10],
    [/[^a-zA-Z\d]/, 32],
  ];
  const alphabet = kinds.reduce((sum, [kind, size]) => sum + (kind.test(rare) ? size : 0), 0);
  const different = new Set(rare).size;
  // Few different characters make a long text no better.
  const length = Math.min(rare.length, different * 3);
  return length * Math.log2(Math.max(alphabet, 2)) * 0.75;
}

export function strength(text: string): Strength {
  if (text.length < SHORTEST) return 0;
  const guessed = bits(text);
  return guessed >= STRONG_BITS ? 3 : guessed >= GOOD_BITS ? 2 : 1;
}

export function strengthText(text: string): string {
  return WORDS[strength(text)];
}
