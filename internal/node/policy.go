package node

import (
	"fmt"

	"fairlead/adns"
	"fairlead/adns/cookie"
	"fairlead/adns/rrl"
	"fairlead/config"

	"go.uber.org/zap"
)

// dnsPolicy reads the part of a node file that says who is answered, and how much. It reads the cookie secrets.
func dnsPolicy(c *config.NodeDNS) (adns.PolicyOptions, error) {
	o := adns.PolicyOptions{
		AllowQuery: c.AllowQuery, ClientSubnetFrom: c.ClientSubnetFrom,
		Cookies: c.Cookies, Version: c.Version, Identity: c.Identity,
	}
	exempt, err := c.RateLimit.ExemptPrefixes()
	if err != nil {
		return o, fmt.Errorf("read dns.rate_limit: %w", err)
	}
	if c.RateLimit.ResponsesPerSecond > 0 {
		o.RateLimit = rrl.Options{PerSecond: c.RateLimit.ResponsesPerSecond, Slip: c.RateLimit.Slip,
			Entries: c.RateLimit.MaxEntries, Exempt: exempt}
	}
	if c.Cookies && c.CookieSecretFile != "" {
		o.CookieSecrets, err = cookieSecrets(c.CookieSecretFile)
	}
	return o, err
}

func cookieSecrets(path string) ([]cookie.Secret, error) {
	read, err := config.CookieSecrets(path)
	if err != nil {
		return nil, err
	}
	secrets := make([]cookie.Secret, len(read))
	for i, s := range read {
		secrets[i] = s
	}
	return secrets, nil
}

// reloadCookieSecrets reads the cookie secrets again. When the file is wrong the ones in use stay.
func (n *Node) reloadCookieSecrets() {
	c := &n.opts.Config.DNS
	if !c.Cookies || c.CookieSecretFile == "" {
		return
	}
	secrets, err := cookieSecrets(c.CookieSecretFile)
	if err == nil {
		err = n.dns.SetCookieSecrets(secrets...)
	}
	if err != nil {
		n.log.Error("dns.cookie_secrets.refused", zap.Error(err), zap.String("then", "the secrets in use stay"))
		return
	}
	n.log.Info("dns.cookie_secrets.read", zap.String("file", c.CookieSecretFile), zap.Int("secrets", len(secrets)))
}
