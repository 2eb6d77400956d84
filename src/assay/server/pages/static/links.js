// Addresses that MLflow's clients print after a run lead to the same thing here: /#/experiments/1/runs/... and the like.
"use strict";
(() => {
  const follow = () => {
    const [path] = location.hash.slice(1).split("?");
    const part = path.split("/").filter(Boolean).map(decodeURIComponent);
    const to = part[0] === "experiments" && part[2] === "runs" && part[3] ? ["runs", part[3]]
      : part[0] === "experiments" && part[2] === "models" && part[3] ? ["logged-models", part[3]]
      : part[0] === "experiments" && part[1] ? ["experiments", part[1]]
      : part[0] === "models" && part[2] === "versions" && part[3] ? ["models", part[1], part[3]]
      : part[0] === "models" && part[1] ? ["models", part[1]] : null;
    if (to) location.replace(new URL(to.map(encodeURIComponent).join("/"), location.href.split("#")[0]));
  };
  addEventListener("hashchange", follow);
  follow();
})();
