/** What is left of a time, as a clock shows it: "14:05", "1:00:00". */
export function clock(seconds: number): string {
  const left = Math.max(0, Math.floor(seconds));
  const two = (n: number) => n.toString().padStart(2, "0");
  const [hours, minutes] = [Math.floor(left / 3_600), Math.floor((left % 3_600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}
