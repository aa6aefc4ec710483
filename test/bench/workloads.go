package main

import (
	"fmt"
	"iter"
	"strings"
)

// workload is what the topics are filled with.
type workload struct {
	name  string
	about string
	size  int // bytes of an event; 0 for 1 KB
	times int // as many events as -count says; 0 for 1
	// before is indexed before the time begins; nil for nothing.
	before func(v *inventor, count int) iter.Seq[event]
	// events are measured, count of them; nil to measure those of before once more.
	events func(v *inventor, count int) iter.Seq[event]
	env    []string // settings of the worker

	partitions int // of each topic; 0 for usualPartitions
}

const usualSize = 1000

func workloads() []workload {
	return []workload{
		{name: "fresh", about: "created only: each event is a new document", events: fresh},
		{
			name: "updates", about: "10 full versions of each document, a version of all before the next",
			times: 3, events: updates(10),
		},
		{name: "partial", about: "another title for each of the documents, which are there", before: fresh, events: retitles},
		{name: "replay", about: "all events once more, with another group", before: fresh, times: 3},
		{
			name: "stale", about: "the same without Redis: OpenSearch says that it knows them",
			before: fresh, env: []string{"DEDUP_ENABLED=false"},
		},
		{
			name: "mixed", about: "70% updates (all fields), 25% creates, 5% deletes, keyed by author",
			times: 2, events: mixed,
		},
	}
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return names
}

func chooseWorkloads(list string) ([]workload, error) {
	var chosen []workload
next:
	for name := range strings.SplitSeq(list, ",") {
		for _, w := range workloads() {
			if w.name == name {
				chosen = append(chosen, w)
				continue next
			}
		}
		return nil, fmt.Errorf("no workload named %q: use %s", name, strings.Join(workloadNames(), ", "))
	}
	return chosen, nil
}

func fresh(v *inventor, count int) iter.Seq[event] {
	return func(yield func(event) bool) {
		for range count {
			if !yield(v.created(v.id())) {
				return
			}
		}
	}
}

// retitles changes what fresh has made.
func retitles(v *inventor, count int) iter.Seq[event] {
	return func(yield func(event) bool) {
		for _, i := range v.chance.Perm(min(count, len(v.ids))) {
			if !yield(v.retitled(v.ids[i], 2)) {
				return
			}
		}
	}
}

// updates writes each document anew in each version, one version of all documents
// after the other.
func updates(versions int) func(v *inventor, count int) iter.Seq[event] {
	return func(v *inventor, count int) iter.Seq[event] {
		return func(yield func(event) bool) {
			for e := range fresh(v, count/versions) {
				if !yield(e) {
					return
				}
			}
			for version := 2; version <= versions; version++ {
				for _, id := range v.ids {
					if !yield(v.updated(id, version)) {
						return
					}
				}
			}
		}
	}
}

// mixed updates and deletes any of the posts that are there. The events of an
// author go to one partition.
func mixed(v *inventor, count int) iter.Seq[event] {
	type live struct {
		id, author string
		version    int
	}
	return func(yield func(event) bool) {
		var posts []live
		for range count {
			var e event
			percent, i := v.chance.IntN(100), 0
			if len(posts) > 0 {
				i = v.chance.IntN(len(posts))
			}
			switch {
			case len(posts) == 0 || percent < 25:
				e = v.created(v.id())
				i, posts = len(posts), append(posts, live{e.Data.ID, e.Data.AuthorID, 1})
			case percent < 95:
				posts[i].version++
				e = v.updated(posts[i].id, posts[i].version)
				e.Data.AuthorID = posts[i].author
			default:
				e = v.deleted(posts[i].id, posts[i].version+1)
			}
			e.key = posts[i].author
			if e.Type == "post.deleted" {
				posts[i] = posts[len(posts)-1] // ids are never used again
				posts = posts[:len(posts)-1]
			}
			if !yield(e) {
				return
			}
		}
	}
}
