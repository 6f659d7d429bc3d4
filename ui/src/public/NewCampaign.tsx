/** New campaign on the public page: the same steps as on the desk, without keys. */

import { Wizard } from "../desk/new/Wizard";
import { PageHead } from "../shared/parts";
import { host } from "./new/host";

export function NewCampaignPage() {
  return (
    <>
      <PageHead title="New campaign">
        Eight short steps. Your validation set stays in this page; they end in a campaign file and the command
        that launches it.
      </PageHead>
      <Wizard host={host} />
    </>
  );
}
