package main

import (
	"context"
	"fmt"
)

// showRepeat publishes an event for a second time.
func (s *story) showRepeat(ctx context.Context) error {
	e := s.samples.repeat
	s.page.say("%s of %s with version %d is published again, byte for byte.", e.topic, e.id, e.version)
	before, err := s.stored(ctx, "post", e.id)
	if err != nil {
		return err
	}
	ended, err := s.publish(ctx, e)
	if err != nil {
		return err
	}
	after, err := s.stored(ctx, "post", e.id)
	if err != nil {
		return err
	}
	s.page.check(fmt.Sprintf("it ended as: %s", ended), differs("the outcome", "1 duplicate", ended.String()))
	s.page.check(fmt.Sprintf("nothing was written: the document's _version in OpenSearch stays %d", before.Revision),
		unless(before.Revision == after.Revision, "it is %d now", after.Revision))
	return nil
}

// showLateUpdate publishes an update below the version that the document has.
func (s *story) showLateUpdate(ctx context.Context) error {
	e := s.samples.late
	s.page.say("%s is at version 3 when an update of version %d arrives.", e.id, e.version)
	before, err := s.read(ctx, "post", e.id)
	if err != nil {
		return err
	}
	if _, err := s.publish(ctx, e); err != nil {
		return err
	}
	after, err := s.read(ctx, "post", e.id)
	if err != nil {
		return err
	}
	s.compare(before, e, after, "version", "title", "rating", "summary")
	changed := unless(before.text("version") == "3", "it was at version %s", before.text("version"))
	for _, field := range []string{"version", "title", "rating", "updated_at"} {
		changed = first(changed, differs(field, before.text(field), after.text(field)))
	}
	s.page.check("unchanged where version 3 has spoken: the version decides, not the arrival", changed)
	s.page.check("only its summary is taken: nothing newer has set it (fields merge singly)",
		first(differs("the summary before", nothing, before.text("summary")), differs("the summary", readable(e.data["summary"]), after.text("summary"))))
	return nil
}

// compare shows a document before and after an event.
func (s *story) compare(before *doc, e event, after *doc, fields ...string) {
	const name, value = 10, 20
	rows := [][]string{{"", "before", fmt.Sprintf("event, version %d", e.version), "after"}}
	for _, field := range fields {
		of := readable(e.data[field])
		if field == "version" {
			of = fmt.Sprint(e.version)
		}
		rows = append(rows, []string{field, before.text(field), of, after.text(field)})
	}
	s.page.table([]int{name, value, value}, rows...)
}

// showDeletion deletes a post, and then lets its creation arrive late.
func (s *story) showDeletion(ctx context.Context) error {
	deletion, late := s.samples.deletion, s.samples.lateCreated
	before, err := s.read(ctx, "post", deletion.id)
	if err != nil {
		return err
	}
	s.page.say("%s is deleted with version %d; then its post.created with version %d arrives, late.", deletion.id, deletion.version, late.version)
	s.page.check("before:                   found, "+before.text("title"), unless(before != nil, "no search finds it"))

	if _, err := s.publish(ctx, deletion); err != nil {
		return err
	}
	now, err := s.read(ctx, "post", deletion.id)
	if err != nil {
		return err
	}
	s.page.check("after the deletion:       gone", unless(now == nil, "searches find %s", now.text("title")))

	if _, err := s.publish(ctx, late); err != nil {
		return err
	}
	if now, err = s.read(ctx, "post", late.id); err != nil {
		return err
	}
	s.page.check(fmt.Sprintf("after the late creation:  still gone, as %d is below %d", late.version, deletion.version),
		unless(now == nil, "searches find %s", now.text("title")))

	tombstone, err := s.stored(ctx, "post", late.id)
	if err != nil {
		return err
	}
	s.page.check("what remembers: a tombstone, hidden from searches, its contents erased",
		unless(len(tombstone.Source) == 2 && tombstone.text("version") == fmt.Sprint(deletion.version), "the index holds %v", tombstone.Source))
	return nil
}

// showRestore deletes a post and creates it anew with fewer fields.
func (s *story) showRestore(ctx context.Context) error {
	erasure, restore := s.samples.erasure, s.samples.restore
	s.page.say("%s is deleted with version %d, then created anew with version %d.", erasure.id, erasure.version, restore.version)
	before, err := s.read(ctx, "post", erasure.id)
	if err != nil {
		return err
	}
	if _, err := s.publish(ctx, erasure); err != nil {
		return err
	}
	between, err := s.read(ctx, "post", erasure.id)
	if err != nil {
		return err
	}
	if _, err := s.publish(ctx, restore); err != nil {
		return err
	}
	after, err := s.read(ctx, "post", restore.id)
	if err != nil {
		return err
	}
	s.compare(before, restore, after, "version", "title", "content", "tags")
	s.page.check("gone in between", unless(before != nil && between == nil, "searches found %s before and %s then", before.text("title"), between.text("title")))
	s.page.check("back, with the fields of the new event",
		first(differs("its title", readable(restore.data["title"]), after.text("title")), differs("its tags", readable(restore.data["tags"]), after.text("tags"))))
	s.page.check("and with nothing else: the old content stays erased", differs("its content", nothing, after.text("content")))
	return nil
}
