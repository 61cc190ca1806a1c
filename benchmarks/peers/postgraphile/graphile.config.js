// What PostGraphile makes of the tables: its current preset, shorter names, filters, and the role of who is asking.

import { PgSimplifyInflectionPreset } from "@graphile/simplify-inflection";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

export const preset = (pool) => ({
  extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset, PostGraphileConnectionFilterPreset],
  pgServices: [makePgService({ pool, schemas: ["public"] })],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: {
    explain: false,
    context: ({ fastifyv5 }) => ({
      pgSettings: { role: fastifyv5.request.user.roles.includes("editor") ? "bookshop_editor" : "bookshop_user" },
    }),
  },
});
