/** The desk's parts of the frame: the account in the header, and what the desk talks to in the footer. */

import { IconLock, IconLockOpen, IconUserPlus } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { PublicFoot, publicNav } from "../public/face";
import type { NavItem } from "../shared/face";
import { useNow } from "../shared/now";
import { useSession } from "../shared/session";
import { clock } from "./clock";
import { isUnlocked, useAccounts, useDeskStatus } from "./data";
import css from "./desk.module.css";

export const deskNav: NavItem[] = [
  ...publicNav.filter(({ to }) => to === "/"),
  { to: "/new", label: "New campaign" },
  { to: "/launches", label: "Launches" },
  { to: "/accounts", label: "Accounts" },
  ...publicNav.filter(({ to }) => to !== "/"),
];

/** The unlocked account with its time, or that all are locked. */
export function DeskCorner() {
  const session = useSession();
  return session.data ? <AccountChip /> : null;
}

function AccountChip() {
  const now = useNow();
  const accounts = useAccounts().data?.items;
  if (!accounts) return null;
  const open = accounts
    .filter(account => isUnlocked(account, now))
    .toSorted((a, b) => (b.unlocked_until ?? 0) - (a.unlocked_until ?? 0))[0];
  if (accounts.length === 0)
    return (
      <Link to="/accounts" className={css.corner}>
        <IconUserPlus size={16} />
        New account
      </Link>
    );
  if (!open)
    return (
      <Link to="/accounts" className={css.corner}>
        <IconLock size={16} />
        Locked
      </Link>
    );
  return (
    <Link to="/accounts" className={css.corner}>
      <IconLockOpen size={16} aria-label="Unlocked:" role="img" />
      <span>{open.name}</span>
      <small>{clock((open.unlocked_until ?? now) - now)}</small>
    </Link>
  );
}

export function DeskFoot() {
  const session = useSession();
  return session.data ? <Foot /> : null;
}

function Foot() {
  const status = useDeskStatus().data;
  return (
    <>
      <PublicFoot />
      {status && (
        <>
          <span>Desk {status.version}</span>
          <span>Sonar at {status.sonar_url ?? "no address"}</span>
          <span>Home {status.home}</span>
        </>
      )}
    </>
  );
}
