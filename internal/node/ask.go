package node

import (
	"context"

	"fairlead/api"
	"fairlead/mep"
)

// askSite returns how other sites are asked what they would answer; nil when this node exchanges nothing.
func (n *Node) askSite() func(context.Context, string, []byte) ([]byte, error) {
	if n.exchange == nil {
		return nil
	}
	return func(ctx context.Context, site string, body []byte) ([]byte, error) {
		return n.exchange.Ask(ctx, site, mep.AskExplain, body)
	}
}

// answerSite answers another site's question. There is one kind.
func (n *Node) answerSite(_ string, _ mep.AskKind, body []byte) ([]byte, error) {
	return api.AnswerExplain(n.state.Load(), n.opts.Config.Site, body)
}
