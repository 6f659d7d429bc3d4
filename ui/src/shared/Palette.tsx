/** Ctrl-K: goes to a page or to something with a name, and runs commands. */

import { Modal, useMantineColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useMemo, useState } from "react";
import type { Face, PaletteItem } from "./face";
import { pauseSwitch, usePaused } from "./live";
import css from "./Palette.module.css";

export default function Palette({ face, close }: { face: Face; close: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const [searched] = useDebouncedValue(text.trim(), 150);
  const navigate = useNavigate();
  const list = useId();
  const fixed = useFixedItems(face);
  const found = useQuery({
    queryKey: ["palette", searched],
    queryFn: ({ signal }) => face.find?.(searched, signal) ?? Promise.resolve([]),
    enabled: face.find !== undefined && searched.length > 1,
  });
  const items = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    const matching = fixed.filter(item => `${item.kind} ${item.title}`.toLowerCase().includes(wanted));
    return [...(found.data ?? []), ...matching];
  }, [fixed, found.data, text]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another text has other results
  useEffect(() => setChosen(0), [text]);

  const run = (item: PaletteItem | undefined) => {
    if (!item) return;
    close();
    if (item.to) void navigate({ href: item.to });
    item.run?.();
  };
  const key = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && items.length > 0) setChosen((chosen + step + items.length) % items.length);
    else if (event.key === "Enter") run(items[chosen]);
    else return;
    event.preventDefault();
  };

  return (
    <Modal.Root opened onClose={close} size="lg" yOffset="12vh">
      <Modal.Overlay backgroundOpacity={0.45} />
      <Modal.Content aria-label="Search and commands" radius="lg">
        <Modal.Body pt="md">
          <input
            className={css.input}
            value={text}
            onChange={event => setText(event.target.value)}
            onKeyDown={key}
            placeholder="Go to a page, a campaign, an address…"
            role="combobox"
            aria-label="Search"
            aria-expanded
            aria-controls={list}
            aria-activedescendant={items.length > 0 ? `${list}-${chosen}` : undefined}
            data-autofocus
          />
          <ul id={list} className={css.list} role="listbox" aria-label="Results">
            {items.map((item, index) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the input handles the keys
              <li
                key={item.id}
                id={`${list}-${index}`}
                role="option"
                aria-selected={index === chosen}
                onClick={() => run(item)}
                onMouseMove={() => setChosen(index)}
              >
                <strong>{item.title}</strong>
                {item.detail && <span>{item.detail}</span>}
                <span>{item.kind}</span>
              </li>
            ))}
          </ul>
          {items.length === 0 && (
            <p className={css.none}>{found.isFetching ? "Searching…" : "Nothing found."}</p>
          )}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function useFixedItems(face: Face): PaletteItem[] {
  const { setColorScheme } = useMantineColorScheme();
  const paused = usePaused();
  return useMemo(
    () => [
      ...face.nav.map(item => ({ id: item.to, title: item.label, kind: "Page", to: item.to })),
      {
        id: "pause",
        title: paused ? "Resume updates" : "Pause updates",
        kind: "Command",
        run: () => pauseSwitch.set(!paused),
      },
      { id: "light", title: "Light colours", kind: "Command", run: () => setColorScheme("light") },
      { id: "dark", title: "Dark colours", kind: "Command", run: () => setColorScheme("dark") },
      { id: "auto", title: "Colours as the system", kind: "Command", run: () => setColorScheme("auto") },
    ],
    [face.nav, paused, setColorScheme],
  );
}
