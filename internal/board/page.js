(function () {
  "use strict";
  var byId = function (id) { return document.getElementById(id); };
  var add = function (parent, tag, text) {
    var e = document.createElement(tag);
    if (text !== undefined) { e.textContent = text; }
    parent.appendChild(e);
    return e;
  };

  // Times are told anew while the page stays open.
  var units = [[31536000, "year", 2], [2592000, "month", 2], [86400, "day", 2], [3600, "hour", 2], [60, "minute", 1]];
  var ago = function (then) {
    var s = Math.round((Date.now() - then) / 1000), d = Math.abs(s), text = "less than a minute";
    for (var i = 0; i < units.length; i++) {
      if (d >= units[i][0] * units[i][2]) {
        var n = Math.floor(d / units[i][0]);
        text = n + " " + units[i][1] + (n === 1 ? "" : "s");
        break;
      }
    }
    return s >= 0 ? text + " ago" : "in " + text;
  };
  var tell = function () {
    document.querySelectorAll("time").forEach(function (t) {
      var then = Date.parse(t.dateTime);
      if (!isNaN(then)) { t.textContent = ago(then); }
    });
  };
  tell();
  setInterval(tell, 30000);

  // Commands can be copied where the browser allows it.
  if (navigator.clipboard) {
    document.querySelectorAll("button[data-copy]").forEach(function (b) {
      b.hidden = false;
      b.addEventListener("click", function () {
        navigator.clipboard.writeText(b.dataset.copy).then(function () { b.textContent = "Copied"; }, function () { b.textContent = "Not copied"; });
      });
    });
  }

  // The history is filtered by environment and text.
  var filter = byId("filter");
  if (filter) {
    var rows = Array.prototype.slice.call(document.querySelectorAll(".records tbody tr"));
    var environment = byId("filter-environment"), text = byId("filter-text"), told = byId("filter-count");
    var names = [];
    rows.forEach(function (r) { if (names.indexOf(r.dataset.e) < 0) { names.push(r.dataset.e); } });
    names.sort().forEach(function (n) { add(environment, "option", n).value = n; });
    var apply = function () {
      var want = text.value.toLowerCase(), n = 0;
      rows.forEach(function (r) {
        r.hidden = environment.value !== "" && r.dataset.e !== environment.value || r.textContent.toLowerCase().indexOf(want) < 0;
        if (!r.hidden) { n++; }
      });
      told.textContent = n === rows.length ? "" : n + " of " + rows.length;
    };
    environment.addEventListener("change", apply);
    text.addEventListener("input", apply);
    filter.hidden = false;
    apply();
  }

  // Any two environments are compared.
  var facts = JSON.parse(byId("facts").textContent), pick = document.querySelector("#compare .pick");
  var a = byId("compare-a"), b = byId("compare-b"), out = byId("compared");
  var link = function (cell, web, before, after) {
    if (/^https:\/\//.test(web || "") && before && after && before !== after) {
      cell.appendChild(document.createTextNode(" "));
      add(cell, "a", "compare").href = web + "/compare/" + before + "..." + after;
    }
  };
  var row = function (body, what, has, lacks) {
    var tr = add(body, "tr");
    tr.className = has === lacks ? "same" : "differs";
    add(tr, "th", what).scope = "row";
    add(tr, "td", has || "–");
    return add(tr, "td", lacks || "–");
  };
  var filesOf = function (e) {
    var all = {};
    for (var i = 0; i + 1 < (e.files || []).length; i += 2) {
      for (var n = e.files[i]; n < e.files[i] + e.files[i + 1]; n++) { all[facts.paths[facts.files[n][0]]] = facts.files[n][1]; }
    }
    return all;
  };
  var compareFiles = function (body, x, y) {
    var has = filesOf(x), lacks = filesOf(y), same = 0, own = 0, shown = 0, more = 0;
    Object.keys(has).sort().forEach(function (p) {
      if (!(p in lacks)) { own++; return; }
      if (lacks[p] === has[p]) { same++; return; }
      if (shown === 40) { more++; return; }
      shown++;
      row(body, p, has[p], lacks[p]);
    });
    var away = Object.keys(lacks).filter(function (p) { return !(p in has); }).length;
    row(body, "other files", same + " the same, " + own + " only here" + (more ? ", " + more + " more differ" : ""), same + " the same, " + away + " only here");
  };
  var compare = function () {
    var x = facts.all[a.value], y = facts.all[b.value];
    out.textContent = "";
    var table = add(out, "table"), head = add(add(table, "thead"), "tr"), body = add(table, "tbody");
    ["", x.name, y.name].forEach(function (t) { add(head, "th", t).scope = "col"; });
    link(row(body, "state", x.state, y.state), facts.web, y.trigger, x.trigger);
    var used = {};
    var find = function (r) {
      for (var i = 0; i < y.rows.length; i++) {
        if (!used[i] && y.rows[i][0] === r[0] && y.rows[i][1] === r[1]) { used[i] = true; return y.rows[i]; }
      }
      return [];
    };
    x.rows.forEach(function (r) {
      var other = find(r);
      link(row(body, r[0] + " " + r[1], r[2], other[2]), r[4], other[3], r[3]);
    });
    y.rows.forEach(function (r, i) { if (!used[i]) { row(body, r[0] + " " + r[1], "", r[2]); } });
    if (facts.files) { compareFiles(body, x, y); }
    if (facts.without) { row(body, "files", "see taxiway diff", "see taxiway diff"); }
  };
  if (facts.all && facts.all.length > 1) {
    facts.all.forEach(function (e, i) {
      [a, b].forEach(function (s) { add(s, "option", e.name).value = i; });
    });
    a.value = 0;
    b.value = facts.all.length > 1 ? 1 : 0;
    [a, b].forEach(function (s) { s.addEventListener("change", compare); });
    pick.hidden = false;
    compare();
  }

  // A newer board is announced, where the page comes from a server.
  if (/^https?:$/.test(location.protocol)) {
    var tag = null, newer = document.querySelector(".newer");
    var look = function (now) {
      if (document.hidden && !now || !newer.hidden) { return; }
      fetch(location.pathname + location.search, { method: "HEAD", cache: "no-cache" }).then(function (r) {
        var now = r.ok ? r.headers.get("ETag") || r.headers.get("Last-Modified") : null;
        if (now && tag && now !== tag) { newer.hidden = false; }
        if (now && !tag) { tag = now; }
      }, function () { /* the server is away; the page stays as it is */ });
    };
    look(true);
    setInterval(look, 30000);
    window.addEventListener("focus", look);
  }
}());
