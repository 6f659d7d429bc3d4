/** "Live · block 1,234 · 2 s ago", with a switch that pauses updates. */

import { Button, Popover } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { LiveTone, LiveView } from "./face";
import { relative } from "./format";
import { pauseSwitch, usePaused } from "./live";
import { useNow } from "./now";
import css from "./Shell.module.css";

/** Screen readers are told at most this often. */
const ANNOUNCE_MS = 5_000;

export function LiveIndicator({ view }: { view: LiveView }) {
  const paused = usePaused();
  const now = useNow();
  const tone: LiveTone = paused ? "paused" : view.tone;
  const label = paused ? "Paused" : view.label;
  const age = view.seen === null ? null : relative(view.seen, now);
  return (
    <>
      <Popover width={300} position="bottom-end" shadow="md" withArrow trapFocus>
        <Popover.Target>
          <button type="button" className={css.live} data-tone={tone}>
            <span className={css.dot} />
            {label}
            {view.place && !paused && <span className={css.liveAge}>· {view.place}</span>}
            {age && tone !== "ok" && !paused && <span className={css.liveAge}>· {age}</span>}
            <span className="visually-hidden">, details and pause</span>
          </button>
        </Popover.Target>
        <Popover.Dropdown>
          <div className={css.liveMenu}>
            <p>
              <strong>{label}</strong>
              {view.place ? ` · ${view.place}` : ""}
              {age ? ` · ${age}` : ""}
            </p>
            <p>{paused ? "The page stays as it is until you resume updates." : view.detail}</p>
            <Button
              variant="default"
              size="xs"
              leftSection={paused ? <IconPlayerPlay size={14} /> : <IconPlayerPause size={14} />}
              onClick={() => pauseSwitch.set(!paused)}
            >
              {paused ? "Resume updates" : "Pause updates"}
            </Button>
          </div>
        </Popover.Dropdown>
      </Popover>
      <Announcement text={label} />
    </>
  );
}

function Announcement({ text }: { text: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), ANNOUNCE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <span className="visually-hidden" role="status">
      {said === "Live" ? "" : said}
    </span>
  );
}
