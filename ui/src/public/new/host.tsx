/** The steps of a new campaign on the public page: everything stays in the page, and ends in a file and a command. */

import { Button } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { download, FilePreview } from "../../desk/new/FilePreview";
import type { InspectChoices, StepProps, WizardHost } from "../../desk/new/host";
import { campaignFile, fileName, launchCommand } from "../../desk/new/toml";
import wizard from "../../desk/new/wizard.module.css";
import { words } from "../../desk/new/words";
import { Command } from "../../shared/parts";
import css from "../campaign/campaign.module.css";
import { parseCsv, textOf } from "./csv";
import { infer } from "./infer";

async function inspect(file: File, choices: InspectChoices) {
  return infer(parseCsv(await textOf(file)), file.name, choices);
}

function Review({ draft }: StepProps) {
  return (
    <>
      <p className={wizard.words}>{words(draft).join(" ")}</p>
      <FilePreview draft={draft} open />
    </>
  );
}

/** Launching needs keys and money, which this page never asks for. */
function Launch({ draft }: StepProps) {
  const name = fileName(draft);
  return (
    <ol className={css.steps}>
      <li>
        <div>
          <p>Save the campaign file next to {draft.data?.file ?? "the validation set"}.</p>
          <div>
            <Button
              leftSection={<IconDownload size={16} />}
              onClick={() => download(name, campaignFile(draft))}
            >
              Download {name}
            </Button>
          </div>
        </div>
      </li>
      <li>
        <div>
          <p>See what a launch would do. Nothing is paid.</p>
          <Command>{`${launchCommand(draft)} --dry-run`}</Command>
        </div>
      </li>
      <li>
        <div>
          <p>
            Launch: the program seals the validation set to the Capsule, uploads it, and puts the bounty into
            escrow.
          </p>
          <Command>{launchCommand(draft)}</Command>
        </div>
      </li>
      <li>
        <div>
          <p>Or launch from a page on your own computer, with the same steps.</p>
          <Command>sonar ui</Command>
        </div>
      </li>
    </ol>
  );
}

export const host: WizardHost = {
  needsAccount: false,
  fileNote: "The file is read in this page only. It is not sent anywhere, and its rows are not kept.",
  inspect,
  Review,
  Launch,
};
