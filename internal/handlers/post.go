package handlers

import "github.com/search-indexer/search-indexer/internal/document"

// post is what members of the community write.
func post() Entity {
	return Entity{
		Name:       document.Post,
		IDMember:   "post_id",
		EventTypes: []string{"post.created", "post.updated", "post.deleted"},
		Fields: map[string]Kind{
			"title":        Text,
			"content":      Text,
			"summary":      Text,
			"slug":         Keyword,
			"author_id":    Keyword,
			"artist_id":    Keyword,
			"status":       Keyword,
			"language":     Keyword,
			"tags":         Keyword,
			"created_at":   Date,
			"updated_at":   Date,
			"published_at": Date,
			"rating":       Number,
		},
	}
}
