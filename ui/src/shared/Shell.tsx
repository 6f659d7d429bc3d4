/** The frame of all pages: header with navigation, live indicator and theme; footer; palette; shortcuts. */

import { ActionIcon, Kbd, Menu, Modal, useMantineColorScheme } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconDeviceDesktop, IconMoon, IconSearch, IconSun } from "@tabler/icons-react";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import type { Face } from "./face";
import { LiveIndicator } from "./LiveIndicator";
import { pauseSwitch } from "./live";
import css from "./Shell.module.css";
import { SessionGate } from "./session";

const Palette = lazy(() => import("./Palette"));

/** With more pages than this, the header gives them more room. */
const MANY_PAGES = 6;

export function Shell({ face }: { face: Face }) {
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const navigate = useNavigate();
  const path = useRouterState({ select: state => state.location.pathname });
  const main = useRef<HTMLElement>(null);

  useHotkeys([
    ["mod+K", () => setPalette(true)],
    ["/", () => setPalette(true)],
    ["shift+?", () => setHelp(true)],
    ["P", () => pauseSwitch.set(!pauseSwitch.paused)],
    ...face.nav
      .slice(0, 9)
      .map((item, index): [string, () => void] => [`${index + 1}`, () => void navigate({ to: item.to })]),
  ]);

  // A new page starts at its beginning, also for screen readers.
  const first = useRef(path);
  useEffect(() => {
    if (first.current === path) return;
    first.current = path;
    main.current?.focus({ preventScroll: true });
  }, [path]);

  // On narrow screens the navigation scrolls sideways.
  const nav = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the current page's link changes with the path
  useEffect(() => {
    const list = nav.current;
    const link = list?.querySelector<HTMLElement>('[aria-current="page"]');
    if (list && link) list.scrollLeft = link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
  }, [path]);

  const page = <Outlet />;
  return (
    <>
      <a className={css.skip} href="#main">
        Skip to the content
      </a>
      <header className={css.header} data-many={face.nav.length > MANY_PAGES || undefined}>
        <div className={css.bar}>
          <Link to="/" className={css.brand}>
            <Mark />
            {face.title}
          </Link>
          <nav ref={nav} className={css.nav} aria-label="Pages">
            {face.nav.map(item => (
              <Link
                key={item.to}
                to={item.to}
                activeOptions={{ exact: item.exact ?? item.to === "/" }}
                activeProps={{ "aria-current": "page" }}
              >
                {item.label}
                {item.badge ? <strong>{item.badge}</strong> : null}
              </Link>
            ))}
          </nav>
          <div className={css.right}>
            <button type="button" className={css.search} onClick={() => setPalette(true)}>
              <IconSearch size={15} />
              <span className={css.searchText}>Search</span>
              <kbd>Ctrl K</kbd>
            </button>
            <Live useLive={face.useLive} />
            <ThemeMenu />
            {face.Corner && <face.Corner />}
          </div>
        </div>
      </header>
      <main id="main" ref={main} className={css.main} tabIndex={-1}>
        {face.command ? <SessionGate command={face.command}>{page}</SessionGate> : page}
      </main>
      <footer className={css.footer}>
        {face.Foot && <face.Foot />}
        <button type="button" onClick={() => setHelp(true)}>
          Keyboard shortcuts
        </button>
      </footer>
      {palette && (
        <Suspense>
          <Palette face={face} close={() => setPalette(false)} />
        </Suspense>
      )}
      <Shortcuts face={face} opened={help} close={() => setHelp(false)} />
    </>
  );
}

function Live({ useLive }: { useLive: Face["useLive"] }) {
  return <LiveIndicator view={useLive()} />;
}

export function Mark({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#4353c9" />
      <g fill="none" stroke="#fff" strokeWidth="2">
        <circle cx="16" cy="16" r="10" opacity=".38" />
        <circle cx="16" cy="16" r="5" opacity=".7" />
        <path d="M16 16 23 9" strokeWidth="2.4" strokeLinecap="round" />
      </g>
      <circle cx="16" cy="16" r="2.4" fill="#fff" />
      <circle cx="10" cy="20.5" r="2" fill="#fff" />
    </svg>
  );
}

const SCHEMES = [
  { value: "light", label: "Light", Icon: IconSun },
  { value: "dark", label: "Dark", Icon: IconMoon },
  { value: "auto", label: "As the system", Icon: IconDeviceDesktop },
] as const;

function ThemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Current = (SCHEMES.find(({ value }) => value === colorScheme) ?? SCHEMES[2]).Icon;
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <ActionIcon size={34} aria-label="Colour scheme">
          <Current size={18} stroke={1.7} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map(({ value, label, Icon }) => (
          <Menu.Item
            key={value}
            leftSection={<Icon size={16} />}
            onClick={() => setColorScheme(value)}
            aria-current={value === colorScheme || undefined}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Shortcuts({ face, opened, close }: { face: Face; opened: boolean; close: () => void }) {
  return (
    <Modal opened={opened} onClose={close} title="Keyboard shortcuts" centered>
      <dl className={css.shortcuts}>
        <dt>
          <Kbd>Ctrl</Kbd> <Kbd>K</Kbd> or <Kbd>/</Kbd>
        </dt>
        <dd>Search, go to a page, run a command</dd>
        {face.nav.slice(0, 9).flatMap((item, index) => [
          <dt key={item.to}>
            <Kbd>{index + 1}</Kbd>
          </dt>,
          <dd key={`${item.to} page`}>{item.label}</dd>,
        ])}
        <dt>
          <Kbd>P</Kbd>
        </dt>
        <dd>Pause or resume live updates</dd>
        <dt>
          <Kbd>←</Kbd> <Kbd>→</Kbd>
        </dt>
        <dd>Next point of a chart that has the focus</dd>
        <dt>
          <Kbd>?</Kbd>
        </dt>
        <dd>This list</dd>
      </dl>
    </Modal>
  );
}
