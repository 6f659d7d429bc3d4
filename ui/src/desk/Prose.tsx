/** A message of the API, with what stands in backticks as code. */
export function Prose({ text }: { text: string }) {
  const parts = text.split("`");
  // Without a partner, a backtick is only a backtick.
  if (parts.length % 2 === 0) return text;
  return parts.map((part, index) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: parts of a text do not move
    index % 2 === 1 ? <code key={index}>{part}</code> : part,
  );
}
