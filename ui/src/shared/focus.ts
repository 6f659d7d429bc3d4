/** Where the focus goes. */

import { useEffect, useState } from "react";

/** When the component goes, gives the focus back to what had it before: for dialogues that are rendered only while open. */
export function useReturnedFocus(): void {
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    },
    [before],
  );
}
