package node

import (
	"errors"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/adns"
	"fairlead/api"
	"fairlead/config"
	"fairlead/mep"
)

// TestAnsweringSurvivesAPanic: a question that explaining panics at is answered with an error, and logged.
func TestAnsweringSurvivesAPanic(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	n := &Node{log: zap.New(core), opts: Options{Config: &config.Node{Site: "ams"}}}
	n.state.Store(&api.State{Document: &config.Document{}, Snapshot: &adns.Snapshot{}}) // there is nothing to explain with
	answer, err := n.answerSite("nyc", mep.AskExplain, []byte(`{"name": "www.example.test", "type": "A", "client": "192.0.2.9"}`))
	if !errors.Is(err, errUnexplained) || answer != nil {
		t.Errorf("got %q, %v", answer, err)
	}
	if logs.FilterMessage("mep.ask.panic").Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
}
