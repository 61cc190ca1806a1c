// The pages of the console: their names, their keys, and where their code is.

export const PAGES = [
  { page: "now", label: "Now", key: "n", load: () => import("./pages/now.js") },
  { page: "traffic", label: "Traffic", key: "t", load: () => import("./pages/traffic.js") },
  { page: "errors", label: "Errors", key: "e", load: () => import("./pages/errors.js") },
  { page: "database", label: "Database", key: "d", load: () => import("./pages/database.js") },
  { page: "clients", label: "Clients", key: "c", load: () => import("./pages/clients.js") },
  { page: "alerts", label: "Alerts", key: "a", load: () => import("./pages/alerts.js") },
  { page: "logs", label: "Logs", key: "l", load: () => import("./pages/logs.js") },
  { page: "system", label: "System", key: "s", load: () => import("./pages/system.js") },
];
