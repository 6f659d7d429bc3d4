/** The campaign file of a draft, to keep and to launch with the command line instead. */

import { Button } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { Command } from "../../shared/parts";
import type { Draft } from "./draft";
import { campaignFile, fileName, launchCommand } from "./toml";
import css from "./wizard.module.css";

export function FilePreview({ draft, open = false }: { draft: Draft; open?: boolean }) {
  const toml = campaignFile(draft);
  const name = fileName(draft);
  return (
    <details className={css.more} open={open}>
      <summary>Campaign file and command</summary>
      <div>
        <p className={css.hint}>
          The same campaign for the command line: save the file next to{" "}
          {draft.data?.file ?? "the validation set"}, then run the command.
        </p>
        <pre className={css.code} tabIndex={0} aria-label={name}>
          {toml}
        </pre>
        <div>
          <Button
            variant="default"
            size="xs"
            leftSection={<IconDownload size={14} />}
            onClick={() => download(name, toml)}
          >
            Download {name}
          </Button>
        </div>
        <Command>{launchCommand(draft)}</Command>
      </div>
    </details>
  );
}

/** Saves a text as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/toml" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
