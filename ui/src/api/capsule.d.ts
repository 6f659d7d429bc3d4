// Generated from openapi/capsule.json by `npm run api`. Do not edit.

export interface paths {
    "/api/capsule/campaigns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All campaigns of this Capsule, the next deadline first. */
        get: operations["campaigns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/capsule/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Notices of changes (server-sent events): `status` and `campaigns` report which of the other routes has a new answer.
         * @description Begins with an `open` message. A client that reconnects with `Last-Event-ID` is told at once if it missed a change.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/capsule/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Registration, stake, money, keys, and what needs the operator. */
        get: operations["status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The session of this browser. */
        get: operations["session"];
        put?: never;
        /** Exchanges the launch token for a session. A token works once. */
        post: operations["open_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/session/passphrase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Enters the passphrase, which permits actions that spend for 15 minutes. */
        post: operations["reauthenticate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description What needs the operator. */
        Alert: {
            /** @description The campaign, if it is about one. */
            campaign: string | null;
            /** @description What to do. */
            fix: string;
            /** @description What it is about. */
            kind: components["schemas"]["AlertKind"];
            /** @description How urgent it is. */
            severity: components["schemas"]["Severity"];
            /** @description What is wrong. */
            text: string;
        };
        /**
         * @description What an alert is about.
         * @enum {string}
         */
        AlertKind: "chain" | "registration" | "balance" | "deadline" | "launch_key" | "campaign";
        /** @description A campaign of the Capsule. */
        CampaignItem: {
            /**
             * Format: int32
             * @description The attested best accuracy.
             */
            best_ppm: number;
            /** @description Its id. */
            campaign: string;
            /** @description Fee that it has earned, if the Capsule delivers and is not convicted. */
            fee: string;
            /** @description Name of the last action. */
            last: string;
            /**
             * Format: double
             * @description Bits disclosed by public verdicts so far.
             */
            leak_bits: number;
            /**
             * Format: double
             * @description Limit of bits that public verdicts may disclose.
             */
            leak_bits_allowed: number;
            next_deadline: components["schemas"]["Deadline"] | null;
            /** @description Why the last step was not completed. */
            problem: string | null;
            /** @description Stake that it locks now, in wei. */
            stake_locked: string;
            /** @description Its state. */
            state: string;
            /** @description Token of the fee; the zero address stands for ETH. */
            token: string;
            /**
             * Format: int32
             * @description Current version of the model; 0 before activation.
             */
            version: number;
        };
        /** @description The campaigns of the Capsule. */
        Campaigns: {
            /** @description The next deadline first; then those without one, the newest first. */
            items: components["schemas"]["CampaignItem"][];
        };
        /** @description What a campaign may demand of a Capsule at most. A campaign is activated only within them. */
        CapsuleLimits: {
            /**
             * Format: int32
             * @description Most seconds of the audit period.
             */
            longest_audit: number;
            /**
             * Format: int32
             * @description Most seconds from the activation to the deadline.
             */
            longest_run: number;
            /**
             * Format: int32
             * @description Most submissions to a campaign.
             */
            max_submissions: number;
            /**
             * Format: int32
             * @description Least seconds to deliver after the end.
             */
            shortest_delivery: number;
            /**
             * Format: int32
             * @description Least seconds to settle a closed window.
             */
            shortest_evaluation: number;
            /** @description Most stake that all campaigns together may lock, in wei. */
            stake_in_all: string;
            /** @description Most stake that one campaign may lock, in wei. */
            stake_per_campaign: string;
        };
        /** @description The chain, as this program sees it. */
        ChainHealth: {
            /**
             * Format: int64
             * @description Seconds since the chain answered last; `null` if it never did.
             */
            age_seconds: number | null;
            /**
             * Format: int64
             * @description Number of the newest block.
             */
            block: number;
            /** @description Whether the last query succeeded. */
            ok: boolean;
            /** @description Why the last query failed. */
            problem: string | null;
        };
        /** @description A deadline. */
        Deadline: {
            /**
             * Format: int64
             * @description Until this unix time.
             */
            at: number;
            /** @description What must be done. */
            kind: components["schemas"]["DeadlineKind"];
        };
        /**
         * @description What the Capsule must do until a deadline.
         * @enum {string}
         */
        DeadlineKind: "activate" | "settle" | "deliver" | "audit";
        /**
         * @description Which pages a server shows.
         * @enum {string}
         */
        Face: "public" | "desk" | "mine" | "capsule";
        /** @description Fees by token. */
        Fees: {
            /** @description Credited so far, withdrawn or not. */
            earned: components["schemas"]["TokenSum"][];
            /** @description Can be withdrawn now, with what submissions paid for gas and compensation from other Capsules' stakes. */
            owed: components["schemas"]["TokenSum"][];
            /** @description Earned by campaigns that have not ended; credited when their audit period ends. */
            pending: components["schemas"]["TokenSum"][];
        };
        /** @description A key. */
        KeyItem: {
            /**
             * Format: int64
             * @description Its age by the clock of the chain.
             */
            age_seconds: number | null;
            /**
             * Format: int64
             * @description Unix time at which it was made; `null` if that is not recorded.
             */
            created: number | null;
            /**
             * Format: int64
             * @description Unix time of its expiry; `null` if it does not expire.
             */
            expires: number | null;
            /** @description OpenPGP fingerprint, or the address of the attestation key. */
            fingerprint: string;
            /** @description What it is for. */
            kind: components["schemas"]["KeyKind"];
            /** @description Whether it is in use. */
            state: components["schemas"]["KeyState"];
        };
        /**
         * @description What a key is for.
         * @enum {string}
         */
        KeyKind: "attestation" | "openpgp" | "launch";
        /**
         * @description Whether a key is in use.
         * @enum {string}
         */
        KeyState: "registered" | "not_registered" | "replaced" | "expired";
        /** @description The passphrase. */
        PassphraseBody: {
            passphrase: string;
        };
        /** @description An error response (RFC 9457). */
        Problem: {
            /**
             * @description Stable name of the problem, as on the command line.
             * @example NOT_FOUND
             */
            code: string;
            /** @description What was wrong, where, and what to do. */
            detail: string;
            /** @description Whether the same request may succeed later. */
            retryable: boolean;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description Reason phrase of the HTTP status. */
            title: string;
            /** @description Always `about:blank`: `code` identifies the problem. */
            type: string;
        };
        /** @description A session. */
        SessionInfo: {
            /** @description Which pages this server shows. */
            face: components["schemas"]["Face"];
            /**
             * Format: int64
             * @description Unix time until which actions that spend need no passphrase; `null` if they need it now.
             */
            unlocked_until: number | null;
        };
        /**
         * @description How urgent an alert is.
         * @enum {string}
         */
        Severity: "error" | "warning";
        /** @description Stake of the Capsule in wei. */
        Stake: {
            /**
             * @description The part of the locked stake that is slashed if the Capsule misses a deadline that runs now: of campaigns with a closed
             *     window or an undelivered model.
             */
            at_risk: string;
            /** @description What campaigns can lock, or the operator can take back. */
            free: string;
            /** @description Locked by campaigns. */
            locked: string;
            /** @description Free and locked. */
            total: string;
        };
        /** @description The Capsule at a glance. */
        Status: {
            /** @description What needs the operator, errors first. */
            alerts: components["schemas"]["Alert"][];
            /** @description ETH of the operator's account for gas, in wei; `null` until it was read. */
            balance: string | null;
            /** @description The chain, as this program sees it. */
            chain: components["schemas"]["ChainHealth"];
            /**
             * Format: int32
             * @description Fee in parts per million of a bounty; `null` without a registration.
             */
            fee_ppm: number | null;
            /** @description Fees by token. */
            fees: components["schemas"]["Fees"];
            /** @description All keys: attestation, OpenPGP, then launch keys, the newest first. */
            keys: components["schemas"]["KeyItem"][];
            limits: components["schemas"]["CapsuleLimits"] | null;
            /** @description The operator's account. */
            operator: string;
            /** @description Whether the registry has this Capsule. */
            registered: boolean;
            /** @description Stake in wei. */
            stake: components["schemas"]["Stake"];
            /** @description The tokens of all amounts here. */
            tokens: components["schemas"]["Token"][];
            /** @description Version of the program. */
            version: string;
        };
        /** @description A token. */
        Token: {
            /** @description Its contract; the zero address stands for ETH. */
            address: string;
            /**
             * Format: int32
             * @description One token is 10^decimals of the smallest unit.
             */
            decimals: number;
            /** @description Its symbol. */
            symbol: string;
        };
        /** @description The launch token, from the fragment of the link. */
        TokenBody: {
            token: string;
        };
        /** @description An amount of a token. */
        TokenSum: {
            /** @description In the token's smallest unit. */
            amount: string;
            /** @description The token; the zero address stands for ETH. */
            token: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    campaigns: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Campaigns"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    events: {
        parameters: {
            query?: never;
            header?: {
                "Last-Event-ID"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Status"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    open_session: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description With the cookie */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
    reauthenticate: {
        parameters: {
            query?: never;
            header: {
                /** @description `sonar-ui` */
                "X-Requested-With": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PassphraseBody"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description The passphrase is wrong */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description No action of this server needs it */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
            /** @description Too soon after a wrong one */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
