package replica

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/config/revision"
)

// TestUndoThatFails: an undo that does not compile is told of once, tried at growing intervals, and made within a minute after it can be.
func TestUndoThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		compiler := &testCompiler{}
		e, err := New(t.Context(), Options{Site: "ams", Mode: ModeSeed, Store: newMemoryStore("own", 10), Compiler: compiler, Logger: zap.New(core),
			Seed: func() (*config.Objects, error) { return fileOf(service("a", `{"v":1}`)), nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = e.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if _, err := e.Commit(ctx, &revision.Write{Confirm: time.Minute, Author: "ops", Source: "api", Put: []*config.Object{service("a", `{"v":2}`)}}); err != nil {
			t.Fatal(err)
		}
		compiler.need("b")
		time.Sleep(10 * time.Minute)
		failed := func() int { return logs.FilterMessage("config.undo.failed").Len() }
		if failed() != 1 || e.Stats().Undone != 0 {
			t.Fatalf("it is told of %d times, %d were undone", failed(), e.Stats().Undone)
		}
		compiler.need("")
		time.Sleep(maxUndoAgain + 2*tick)
		if failed() != 1 || e.Stats().Undone != 1 {
			t.Errorf("it is told of %d times, %d were undone", failed(), e.Stats().Undone)
		}
	})
}

// TestUndoTries: waits grow to a minute, another reason is told, and what waits no more is forgotten.
func TestUndoTries(t *testing.T) {
	var u UndoTries
	now := time.Unix(946684800, 0)
	if !u.Due("x", now) || !u.Failed("x", "why", now) {
		t.Fatal("the first failure is not tried, or not told of")
	}
	tries := 0
	for range int(time.Hour / time.Second) {
		if now = now.Add(time.Second); u.Due("x", now) {
			if tries++; u.Failed("x", "why", now) {
				t.Fatal("the same failure is told of again")
			}
		}
	}
	if tries < 60 || tries > 70 {
		t.Errorf("%d tries in an hour", tries)
	}
	if !u.Failed("x", "another", now) {
		t.Error("another reason is not told")
	}
	u.Only(func(string) bool { return false })
	if len(u.failed) != 0 || !u.Due("x", now) {
		t.Errorf("what waits no more is known: %v", u.failed)
	}
}
