package gslb

import (
	"os"
	"testing"

	"fairlead/internal/testkit/garbage"
)

func TestMain(m *testing.M) { os.Exit(garbage.Main(m)) }
