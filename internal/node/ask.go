package node

import (
	"context"
	"errors"
	"runtime/debug"

	"go.uber.org/zap"

	"fairlead/api"
	"fairlead/mep"
)

// errUnexplained is what another site is told when explaining panicked.
var errUnexplained = errors.New("explaining failed for a fault of this release; the node's log has it as mep.ask.panic")

// askSite returns how other sites are asked what they would answer; nil when this node exchanges nothing.
func (n *Node) askSite() func(context.Context, string, []byte) ([]byte, error) {
	if n.exchange == nil {
		return nil
	}
	return func(ctx context.Context, site string, body []byte) ([]byte, error) {
		return n.exchange.Ask(ctx, site, mep.AskExplain, body)
	}
}

// answerSite answers another site's question. A panic must not end the node: another site's curiosity is worth no outage.
func (n *Node) answerSite(site string, kind mep.AskKind, body []byte) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			n.log.Error("mep.ask.panic", zap.String("peer", site), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			answer, err = nil, errUnexplained
		}
	}()
	if kind == mep.AskAgree {
		return n.agreement.Answer(body)
	}
	return api.AnswerExplain(n.state.Load(), n.opts.Config.Site, body)
}
