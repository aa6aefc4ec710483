package observe

import (
	"context"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// look is one way of looking at the page.
type look struct {
	name          string
	width, height int64
	scheme        string
}

var looks = []look{
	{"desktop-light", 1280, 900, "light"},
	{"desktop-dark", 1280, 900, "dark"},
	{"phone-light", 360, 740, "light"},
	{"phone-dark", 360, 740, "dark"},
}

// browser is a headless Chromium with the page open.
type browser struct {
	*testing.T
	ctx context.Context

	mu        sync.Mutex
	said      []string // errors of the console, and what the policy refused
	strangers []string // requests that went elsewhere
}

// openPage opens a worker's page. Pictures go to PAGE_PICTURES where it is set.
func openPage(t *testing.T, url string) *browser {
	t.Helper()
	path, err := exec.Command("../../scripts/browser").Output()
	if err != nil {
		t.Fatalf("no browser to test with: %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(strings.TrimSpace(string(path))))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	allocator, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{T: t, ctx: ctx}
	b.listen(url)
	b.do(chromedp.Navigate(url+"/"), chromedp.WaitVisible(chromedp.CSS("#partitions td")))
	return b
}

// listen notes what the page complains of, and whom it asks.
func (b *browser) listen(url string) {
	hear(b, chromedp.Events(b.ctx, runtime.ExceptionThrown), func(e runtime.EventExceptionThrown) {
		b.said = append(b.said, e.ExceptionDetails.Text)
	})
	hear(b, chromedp.Events(b.ctx, log.EntryAdded), func(e log.EventEntryAdded) {
		if e.Entry.Source == log.EntrySourceSecurity || e.Entry.Source == log.EntrySourceJavascript {
			b.said = append(b.said, e.Entry.Text)
		}
	})
	hear(b, chromedp.Events(b.ctx, network.RequestWillBeSent), func(e network.EventRequestWillBeSent) {
		if asked := e.Request.URL; !strings.HasPrefix(asked, url+"/") && !strings.HasPrefix(asked, "data:") {
			b.strangers = append(b.strangers, asked)
		}
	})
}

func hear[E any](b *browser, events iter.Seq2[E, error], note func(E)) {
	go func() {
		for event, err := range events {
			if err != nil {
				return // the browser ends
			}
			b.mu.Lock()
			note(event)
			b.mu.Unlock()
		}
	}()
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	for _, action := range actions {
		run(b, action)
	}
}

func run[T any](b *browser, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, deadline)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

// text is what a part of the page shows.
func (b *browser) text(selector string) string {
	b.Helper()
	return run(b, chromedp.Evaluate[string](`document.querySelector("`+selector+`").innerText`))
}

// shows waits until a part of the page shows words.
func (b *browser) shows(selector, words string) {
	b.Helper()
	var text string
	for end := time.Now().Add(deadline); ; time.Sleep(200 * time.Millisecond) {
		if text = b.text(selector); strings.Contains(strings.ToLower(text), strings.ToLower(words)) {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("%s does not show %q but:\n%s", selector, words, text)
		}
	}
}

// photograph looks at the page in every way: nothing may be cut off or too faint.
func (b *browser) photograph(state string) {
	b.Helper()
	b.do(chromedp.Sleep(time.Second), chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	for _, l := range looks {
		b.wear(l)
		if run(b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`)) {
			b.Errorf("%s, %s: the page is wider than the screen", state, l.name)
		}
		if faint := run(b, chromedp.Evaluate[[]string](contrastScript)); len(faint) > 0 {
			b.Errorf("%s, %s: too little contrast (WCAG AA wants 4.5):\n%s", state, l.name, strings.Join(faint, "\n"))
		}
		picture := run(b, chromedp.FullScreenshot(100))
		if folder := os.Getenv("PAGE_PICTURES"); folder != "" {
			if err := os.WriteFile(filepath.Join(folder, state+"-"+l.name+".png"), picture, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// wear makes the browser a screen of that size and taste.
func (b *browser) wear(l look) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: l.width, Height: l.height, DeviceScaleFactor: 1, Mobile: l.width < 500,
	}); err != nil {
		b.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
	}); err != nil {
		b.Fatal(err)
	}
}

// contrastScript names texts whose colour is too near that of their ground.
const contrastScript = `(() => {
  const parse = (c) => c.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => { const f = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const faint = new Set();
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.closest(".hidden")) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.add(e.nodeName + "." + e.className + " " + ratio.toFixed(2) + ": " + e.textContent.trim().slice(0, 30));
  }
  return [...faint];
})()`

// accessible checks what a screen reader goes by, in the tree that the browser makes.
func (b *browser) accessible() {
	b.Helper()
	faults := run(b, chromedp.Evaluate[[]string](`(() => {
	  const faults = [];
	  const need = (ok, what) => { if (!ok) faults.push(what); };
	  need(document.documentElement.lang === "en", "no language");
	  for (const one of ["header", "main", "footer", "nav[aria-label]", "h1", "[role=status][aria-live=polite]"]) need(document.querySelectorAll(one).length === 1, "not one " + one);
	  for (const s of document.querySelectorAll("section")) need(document.getElementById(s.getAttribute("aria-labelledby"))?.textContent, "a section without a name");
	  for (const th of document.querySelectorAll("th")) need(th.scope === "col" || th.scope === "row", "a header without a scope: " + th.textContent);
	  for (const s of document.querySelectorAll("svg")) need(s.getAttribute("aria-hidden") === "true", "a picture without words");
	  for (const s of document.querySelectorAll("button")) need(s.hidden || s.textContent.trim(), "a button without a name");
	  need(document.querySelector("#summary").textContent.startsWith("The worker is "), "no summary");
	  return faults;
	})()`))
	if len(faults) > 0 {
		b.Errorf("not accessible:\n%s", strings.Join(faults, "\n"))
	}
	// By the keyboard alone: to the skip link, then to the button.
	b.do(chromedp.KeyEvent("\t"))
	if at := run(b, chromedp.Evaluate[string](`document.activeElement.className`)); at != "skip" {
		b.Errorf("the first stop of the keyboard is %q, not the skip link", at)
	}
	b.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent(" "))
	b.shows("#hold", "Go on")
	if pressed := run(b, chromedp.Evaluate[string](`document.activeElement.getAttribute("aria-pressed")`)); pressed != "true" {
		b.Errorf("the button says pressed=%q", pressed)
	}
	b.do(chromedp.KeyEvent(" "))
	b.shows("#hold", "Hold still")
}

// quiet fails where the page had errors, or asked anybody but its worker.
func (b *browser) quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) > 0 {
		b.Errorf("the console says:\n%s", strings.Join(b.said, "\n"))
	}
	if len(b.strangers) > 0 {
		b.Errorf("asked elsewhere: %s", strings.Join(b.strangers, ", "))
	}
}

func TestPageInABrowser(t *testing.T) {
	c := newCrew(t)
	c.env["LOCK_TTL"] = "3s" // a rebuild tells each second how far it is
	c.env["BATCH_MAX_EVENTS"] = "20"
	w := c.start()
	c.must("", "produce", "--count", "2000", "--rate", "250", "--seed", "1")
	c.eventually("all to be done", func() bool {
		s := w.status()
		return s.Consumed != nil && s.Lag.Messages == 0 && s.Outcomes["indexed"] > 0
	})
	b := openPage(t, w.url)
	b.shows("#state", "ready")
	b.shows("#verdict", "keeps up")
	b.shows("#now", "lag\n0")
	b.shows("#rates", "indexed")
	b.accessible()
	b.photograph("healthy")

	_, stop := c.rebuildFor("20")
	b.shows("#upkeep", "rebuild is under way\nload posts, ")
	b.shows("#upkeep", "left\nfor ")
	if bar := run(b, chromedp.Evaluate[float64](`document.querySelector("#upkeep progress").value`)); bar < 0 || bar > 100 {
		b.Errorf("the bar shows %v", bar)
	}
	b.photograph("rebuilding")
	stop()

	w.pause("pause", 0)
	w.pause("pause", 1)
	c.publish(updates(1, 20)...)
	c.publish(`{"topic":"post.created","value_text":"no <b>JSON</b>"}`)
	b.shows("#state", "partition paused")
	b.shows("#partitions", "paused: an operator paused it")
	b.shows("#letters", "invalid_json")
	b.shows("#now", "lag\n20")
	b.shows("#summary", "partition paused")
	c.rebuild()
	b.shows("#upkeep", "rebuild by a job that died of posts into")
	b.photograph("poisoned")
	w.pause("resume", 0)
	w.pause("resume", 1)

	c.search.mode.Store(throttled)
	c.publish(updates(21, 60)...)
	b.shows("#now", "throttled")
	b.shows("#now", "lag\n60")
	b.photograph("throttled")

	if os.Getenv("PAGE_PICTURES") != "" { // it takes a minute to be a minute behind
		c.search.mode.Store(slow)
		c.publish(updates(61, 6000)...)
		b.shows("#state", "lagging")
		b.shows("#verdict", "behind: ")
		b.photograph("lagging")
	}

	c.search.mode.Store(down)
	c.redis.set(true)
	b.shows("#state", "not ready")
	b.shows("#now", "redis\ndown")
	b.shows("#problems", "OpenSearch at")
	b.photograph("broken")
	c.search.mode.Store(open)
	c.redis.set(false)
	b.shows("#now", "lag\n0")
	b.shows("#now", "redis\nup")
	b.quiet()
}

// rebuild leaves an index behind as a rebuild that died does.
func (c *crew) rebuild() {
	c.Helper()
	var cfg index.Config
	if err := config.Load(c.Context(), config.Environment(c.env), &cfg); err != nil {
		c.Fatal(err)
	}
	client, err := index.NewClient(cfg)
	if err != nil {
		c.Fatal(err)
	}
	origin := index.Origin{State: index.OriginLoading, Owner: "a job that died"}
	if _, err := client.CreateNext(c.Context(), document.Post, time.Now().Add(time.Hour), origin); err != nil {
		c.Fatal(err)
	}
}
