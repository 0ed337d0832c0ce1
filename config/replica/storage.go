package replica

import (
	"time"

	"go.uber.org/zap"
)

// storeAgain is between two looks whether a store that failed works again.
const storeAgain = 5 * time.Second

// teller is a Store that knows without being asked to write that it cannot. Unavailable says why; empty: it can.
type teller interface{ Unavailable() string }

// watchStore notes that nothing can be stored, or that it can again, while nobody writes. e.mu is held.
func (e *Engine) watchStore() {
	if why := e.storeTold(); why != "" {
		e.storeFailed(why)
		return
	}
	now := e.opts.Now()
	if e.unavailable == "" || now.Sub(e.storeTried) < storeAgain {
		return
	}
	e.storeTried = now
	if err := e.opts.Store.Commit(&Record{State: e.state}); err != nil {
		e.storeFailed(err.Error())
		return
	}
	e.storeWorks()
}

// storeTold is what the store says of itself: why it cannot be written.
func (e *Engine) storeTold() string {
	if t, is := e.opts.Store.(teller); is {
		return t.Unavailable()
	}
	return ""
}

// storeFailed notes that nothing can be stored. e.mu is held.
func (e *Engine) storeFailed(why string) {
	if e.unavailable == "" {
		e.log.Error("config.unavailable", zap.String("error", why))
		e.event("config.unavailable", nil, why)
		e.storeTried = e.opts.Now()
	}
	e.unavailable = why
}

// storeWorks notes that something was stored. A disk that is all but full may take one write more: it is told until it has room. e.mu is held.
func (e *Engine) storeWorks() {
	if e.unavailable != "" && e.storeTold() == "" {
		e.unavailable = ""
		e.log.Info("config.available")
		e.event("config.available", nil, "")
	}
}
