package helm_test

import "testing"

func checkObjects(t *testing.T, all []object) { t.Helper() }
