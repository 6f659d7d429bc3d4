/** Files that the page makes itself. */

import { useEffect, useMemo } from "react";

/** The address of a file with this text, for a link that saves it. */
export function useFile(text: string): string {
  const address = useMemo(() => URL.createObjectURL(new Blob([text], { type: "text/csv" })), [text]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return address;
}
