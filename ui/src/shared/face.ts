/** What the shell needs to know about a face: its name, its navigation, how live it is, what its palette finds. */

import type { ComponentType } from "react";

export interface NavItem {
  to: string;
  label: string;
  /** Only this exact path is the page, not the paths below it. */
  exact?: boolean;
  /** A number that asks for attention, such as open approvals. */
  badge?: number;
}

export type LiveTone = "connecting" | "ok" | "stale" | "down" | "paused";

/** What the live indicator says. */
export interface LiveView {
  tone: LiveTone;
  /** "Live", "API down", … */
  label: string;
  /** "block 1,234" */
  place: string | null;
  /** Time in unix seconds of the last sign of life. */
  seen: number | null;
  /** Which link is down, and what that means. */
  detail: string;
}

export interface PaletteItem {
  id: string;
  title: string;
  /** What kind of thing it is: "Page", "Campaign", "Action". */
  kind: string;
  detail?: string;
  /** A path of this face, with its search parameters. */
  to?: string;
  run?: () => void;
}

export interface Face {
  title: string;
  nav: NavItem[];
  /** A hook; called by the shell on every page. */
  useLive: () => LiveView;
  /** What the palette finds for a text, in addition to the pages. */
  find?: (text: string, signal: AbortSignal) => Promise<PaletteItem[]>;
  /** The command that opens this face; pages are shown only with a session then. */
  command?: string;
  /** At the right end of the header, such as the button that connects a wallet. */
  Corner?: ComponentType;
  /** In the footer, such as version and contracts. */
  Foot?: ComponentType;
}
