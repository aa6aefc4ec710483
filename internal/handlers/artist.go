package handlers

import "github.com/search-indexer/search-indexer/internal/document"

// artist is a musician or a band that posts are about. Not every installation
// has a topic artist.deleted; the event is understood where it comes.
func artist() Entity {
	return Entity{
		Name:       document.Artist,
		IDMember:   "artist_id",
		EventTypes: []string{"artist.created", "artist.updated", "artist.deleted"},
		Fields: map[string]Kind{
			"name":       Text,
			"bio":        Text,
			"slug":       Keyword,
			"country":    Keyword,
			"genres":     Keyword,
			"image_url":  Keyword,
			"created_at": Date,
			"updated_at": Date,
		},
	}
}
