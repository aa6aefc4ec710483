package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Next is an index on its way to go live, or one that went live and whose rebuild
// is not done yet. Its private alias tells it from all others.
type Next struct {
	Entity document.Entity
	Index  string
	UUID   string // the index's own id
	Alias  string // private alias, which leads to Index alone
	Origin Origin
	Live   bool // the read and write alias lead to it already
}

// String says what an operator has to do about it, where nobody goes on with it.
func (n Next) String() string {
	if n.Live {
		return fmt.Sprintf("rebuild by %s of %ss has ended between swap and done: run `indexer rebuild --finish`", n.Origin.Owner, n.Entity)
	}
	return fmt.Sprintf("rebuild by %s of %ss into %s has ended unfinished: run `indexer rebuild`, or `indexer rebuild --abort`", n.Origin.Owner, n.Entity, n.Index)
}

// Running says how far it is, where a rebuild is under way.
func (n Next) Running() string {
	if n.Live {
		return fmt.Sprintf("rebuild of %ss into %s is between swap and done: it serves, and may lack the last events until then", n.Entity, n.Index)
	}
	return fmt.Sprintf("rebuild of %ss into %s is under way", n.Entity, n.Index)
}

// loadSettings are what an index is loaded with: no refresh and no replica until
// [Client.Serve] gives it what its template says.
func loadSettings() map[string]any {
	return map[string]any{
		"index.refresh_interval":     "-1",
		"index.number_of_replicas":   0,
		"index.auto_expand_replicas": "false", // would raise the replicas by itself
	}
}

// CreateNext makes an index from the template, with its private alias and its origin
// in the same request, so none ever stands without them. It is named after the time
// at, or after the first second behind that whose name is free, as a setup may just
// have taken it. Script and template are stored first, as by [Client.Setup]; a
// template that would lose data is an error. It may be repeated after an error with
// the same time and owner: one whose answer got lost is found.
func (c *Client) CreateNext(ctx context.Context, entity document.Entity, at time.Time, origin Origin) (Next, error) {
	if err := c.prepare(ctx, entity); err != nil {
		return Next{}, err
	}
	for n := c.names(entity); ; at = at.Add(time.Second) {
		name := n.Index(at)
		create := opensearchapi.IndicesCreateRequest{Index: name, Body: encoded(map[string]any{
			"settings": loadSettings(),
			"mappings": map[string]any{"_meta": map[string]any{originMember: origin}}, // merges with the template's own
			"aliases":  map[string]any{n.next(name): map[string]any{}},
		})}
		err := c.ask(ctx, create, nil)
		if err != nil && !isTaken(err) {
			return Next{}, fmt.Errorf("create index %s: %w", name, err)
		}
		next, lookErr := c.nextNamed(ctx, entity, name)
		if err == nil || lookErr == nil && next.Origin.Owner == origin.Owner {
			return next, lookErr
		}
	}
}

// prepare brings what a new index is made from, and written with, up to date.
func (c *Client) prepare(ctx context.Context, entity document.Entity) error {
	templates, err := c.cfg.loadTemplates()
	if err != nil {
		return err
	}
	var report SetupReport
	if err := c.setupScript(ctx, &report); err != nil {
		return err
	}
	sound, err := c.setupTemplate(ctx, c.names(entity), templates[entity], &report)
	if err != nil || sound {
		return err
	}
	var problems []error
	for _, problem := range report.Problems {
		problems = append(problems, errors.New(problem.String()))
	}
	return errors.Join(problems...)
}

// Adopt makes a Next of an index that stands but is not live, such as one that was
// kept for a way back: it gets its private alias, then the origin, and writes to it
// are allowed. One that broke off is found by [Client.Unfinished] from its first
// step on.
func (c *Client) Adopt(ctx context.Context, entity document.Entity, index string, origin Origin) (Next, error) {
	found, s, err := c.ownIndices(ctx, entity)
	if err != nil {
		return Next{}, err
	}
	if _, ok := found[index]; !ok || !s.names.isIndex(index) {
		return Next{}, fmt.Errorf("adopt index %s: it is no index of %ss", index, entity)
	}
	if now := s.of(index); now == StandingLive || now == StandingNext {
		return Next{}, fmt.Errorf("adopt index %s: it is %s", index, now)
	}
	origin.Kept = true
	if err := c.updateAliases(ctx, addAlias(index, s.names.next(index))); err != nil {
		return Next{}, fmt.Errorf("adopt index %s: %w", index, err)
	}
	if err := c.SetOrigin(ctx, index, origin); err != nil {
		return Next{}, err
	}
	if err := c.UnblockWrites(ctx, index); err != nil {
		return Next{}, err
	}
	return c.nextNamed(ctx, entity, index)
}

// Release takes Adopt back: the private alias goes, and no more writes are allowed.
// It refuses an index that is live, and may be repeated after an error. The alias
// goes in one step with the check that another index is live, and a swap needs it: so
// one that is still on its way either made this fail, or will fail.
func (c *Client) Release(ctx context.Context, next Next) error {
	_, s, err := c.ownIndices(ctx, next.Entity)
	if err != nil {
		return err
	}
	now := s.of(next.Index)
	if now == StandingLive {
		return fmt.Errorf("release index %s: it is %s", next.Index, now)
	}
	if now == StandingNext {
		actions := []aliasAction{removeAlias(next.Index, next.Alias)}
		if s.target != "" {
			actions = append(actions, stillLive(s.names, s.target)...)
		}
		if err := c.updateAliases(ctx, actions...); err != nil {
			return fmt.Errorf("release index %s: %w", next.Index, err)
		}
	}
	return c.BlockWrites(ctx, next.Index)
}

// Reclaim gives an index that went live its private alias back, where somebody has
// taken it away: the rebuild can't be finished without. Where it has it, nothing is
// changed; where it takes the writes no more, or is gone, the error is [ErrMoved].
func (c *Client) Reclaim(ctx context.Context, next Next) error {
	found, s, err := c.ownIndices(ctx, next.Entity)
	switch {
	case err != nil:
		return err
	case found[next.Index].Settings.Index.UUID != next.UUID:
		return fmt.Errorf("finish the rebuild of %s: %w: somebody has removed it", next.Index, ErrMoved)
	case s.target != "" && s.target != next.Index:
		return fmt.Errorf("finish the rebuild of %s: %w: it is %s", next.Index, ErrMoved, s.target)
	case slices.Contains(s.next, next.Index):
		return nil
	}
	actions := append(stillLive(s.names, next.Index), addAlias(next.Index, next.Alias))
	if err := c.updateAliases(ctx, actions...); err != nil {
		return fmt.Errorf("give %s its private alias back: %w", next.Index, err)
	}
	return nil
}

// Live returns the index behind both aliases of an entity with how it came to be;
// an empty name where neither alias stands. Aliases that stand otherwise are an error,
// as is an index that has the name of one: nothing can be swapped there. So is an index
// that is closed: it can't be read, hence not be counted.
func (c *Client) Live(ctx context.Context, entity document.Entity) (string, Origin, error) {
	found, s, err := c.ownIndices(ctx, entity)
	if err != nil || len(s.obstacles)+len(s.read)+len(s.write) == 0 {
		return "", Origin{}, err
	}
	if !s.isBehindBoth(s.target) {
		var problems []error
		for _, problem := range s.problems() {
			problems = append(problems, errors.New(problem.String()))
		}
		return "", Origin{}, errors.Join(problems...)
	}
	if found[s.target].isClosed() {
		return "", Origin{}, errors.New(closed(s.target).String())
	}
	origin, err := found[s.target].origin()
	return s.target, origin, err
}

// Unfinished returns every index that has a private alias, whatever its state, and a
// live one that lost it before its rebuild was done; sorted by entity as in [Entities]
// and by name.
func (c *Client) Unfinished(ctx context.Context) ([]Next, error) {
	var all []Next
	for _, entity := range Entities() {
		found, s, err := c.ownIndices(ctx, entity)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if name != s.target && !slices.Contains(s.next, name) {
				continue
			}
			next, err := s.describe(entity, name, found[name])
			if err != nil {
				return nil, err
			}
			if slices.Contains(s.next, name) || next.Origin.State == OriginSwapping && s.names.isIndex(name) {
				all = append(all, next)
			}
		}
	}
	return all, nil
}

// nextNamed returns the Next of that index.
func (c *Client) nextNamed(ctx context.Context, entity document.Entity, index string) (Next, error) {
	found, s, err := c.ownIndices(ctx, entity)
	if err != nil {
		return Next{}, err
	}
	if !slices.Contains(s.next, index) {
		return Next{}, fmt.Errorf("index %s has no private alias any more", index)
	}
	return s.describe(entity, index, found[index])
}

// describe returns the Next of an index that has a private alias.
func (s standing) describe(entity document.Entity, name string, own ownIndex) (Next, error) {
	origin, err := own.origin()
	if err != nil {
		return Next{}, fmt.Errorf("index %s: %w", name, err)
	}
	return Next{
		Entity: entity, Index: name, UUID: own.Settings.Index.UUID, Alias: s.names.next(name),
		Origin: origin, Live: s.isBehindBoth(name),
	}, nil
}

// isBehindBoth reports whether both aliases lead to that index alone.
func (s standing) isBehindBoth(name string) bool {
	return s.target == name && len(s.read) == 1 && s.read[0] == name
}

// ownIndices returns every index of an entity, live or not.
func (c *Client) ownIndices(ctx context.Context, entity document.Entity) (map[string]ownIndex, standing, error) {
	n := c.names(entity)
	found, err := c.describeOwn(ctx, n.Pattern, n.Read, n.Write)
	live := map[string]liveIndex{}
	for name := range found {
		live[name] = liveIndex{Aliases: found[name].Aliases}
	}
	return found, c.standing(entity, live), err
}

// Load writes final documents of next's entity, each only where it does not exist:
// so a late request of a rebuild that died can't overwrite what was joined since.
// Outcomes are those of [Writer.Write], but for one: Stale says that the document
// was there already, by an attempt before.
func (c *Client) Load(ctx context.Context, opaqueID string, next Next, actions []Action) []Outcome {
	aliases := map[document.Entity]string{next.Entity: next.Alias}
	outcomes := NewWriterTo(c, aliases).write(ctx, opaqueID, c.encode(actions, creates(aliases)), actions)
	for i := range outcomes {
		if outcomes[i].Reason == ReasonConflict { // all that a create can conflict with
			outcomes[i] = Outcome{Result: Stale, Index: next.Index}
		}
	}
	return outcomes
}

// Replicas returns how many copies of each shard a new index is to have beside the
// primary, by the settings.
func (c *Client) Replicas() int { return c.cfg.Replicas }
