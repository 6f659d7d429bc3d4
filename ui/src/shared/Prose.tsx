/** Text of a program as a sentence: with a capital letter if it starts with a word, and what stands in backticks as code. */

import css from "./parts.module.css";

export function Prose({ text }: { text: string }) {
  const sentence = text.replace(/^[a-z]+(?=\s)/, word => word.charAt(0).toUpperCase() + word.slice(1));
  // Every second part stood in backticks.
  return sentence.split("`").map((part, index) =>
    index % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts never change their order
      <code key={index} className={css.code}>
        {part}
      </code>
    ) : (
      part
    ),
  );
}
