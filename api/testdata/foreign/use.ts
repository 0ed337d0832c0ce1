import createClient from "openapi-fetch";
import type { paths } from "./api";

const client = createClient<paths>({ baseUrl: process.argv[2] });

async function main() {
  const { data, error } = await client.PUT("/v1/services/{name}", {
    params: { path: { name: "web-foreign" }, query: { reason: "opening" }, header: { "If-None-Match": "*" } },
    body: { name: "web-foreign", site: "nyc", addresses: ["192.0.2.90"], port: 80 },
  });
  if (error) throw new Error(error.detail);
  for (const c of data!.changes) console.log(c.change, c.kind, c.name);
  const refused = await client.PUT("/v1/services/{name}", { params: { path: { name: "x" } }, body: { name: "x", site: "nowhere", port: 80 } });
  for (const e of refused.error?.errors ?? []) console.log(e.pointer, e.code);
  const list = await client.GET("/v1/services", { params: { query: { site: "nyc" } } });
  console.log(list.data!.objects.map((o) => o.name).join(" "));
}
main().catch((e) => { console.error(e); process.exit(1); });
