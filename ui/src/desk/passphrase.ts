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
const GOOD_BITS = 50;
const STRONG_BITS = 65;
/** Bits of a word that was chosen from some thousands; letters of a word are not chosen one by one. */
const WORD_BITS = 14;
const LETTER_BITS = Math.log2(26);

function partBits(part: string): number {
  if (/^\p{L}/u.test(part)) {
    const mixed = /\p{Ll}\p{Lu}/u.test(part) ? 2 : 0;
    return Math.min(part.length * LETTER_BITS, WORD_BITS) + mixed;
  }
  if (/^\d/.test(part)) return part.length * Math.log2(10);
  return /^\s/.test(part) ? 1 : part.length * 5;
}

/** Bits of a passphrase of random words, digits and signs. A part that comes again, or is common, adds nothing. */
function bits(text: string): number {
  const parts = text.replace(COMMON, " ").match(/\p{L}+|\d+|\s+|[^\p{L}\d\s]+/gu) ?? [];
  return [...new Set(parts)].reduce((sum, part) => sum + partBits(part), 0);
}

export function strength(text: string): Strength {
  if (text.length < SHORTEST) return 0;
  const guessed = bits(text);
  return guessed >= STRONG_BITS ? 3 : guessed >= GOOD_BITS ? 2 : 1;
}

export function strengthText(text: string): string {
  return WORDS[strength(text)];
}
