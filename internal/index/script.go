package index

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
)

//go:embed merge.painless
var mergeText string

// script is a stored script of the cluster.
type script struct {
	id   string
	text string
}

// mergeScript returns the script that joins a State into a document. Its id
// carries a hash of its text: workers of different versions run side by side,
// each with its own script, and one that is stored is never overwritten.
func mergeScript() script { return newScript(mergeText) }

func newScript(text string) script {
	const hashDigits = 12
	sum := sha256.Sum256([]byte(text))
	return script{id: "search-indexer-merge-" + hex.EncodeToString(sum[:])[:hashDigits], text: text}
}
