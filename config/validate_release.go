package config

// The contract names more than this release does. What would only tune a feature that does not run yet is warned of;
// nothing is silently ignored.

func (c *checker) checkRelease() {
	var standard Document
	(&decoder{shapes: shapes{}}).defaultsOf(&standard)
	have, usual := &c.doc.Settings, &standard.Settings
	c.noEffectYet("/settings/mep/session_interval", have.MEP.SessionInterval != usual.MEP.SessionInterval)
}

func (c *checker) noEffectYet(path string, changed bool) {
	if changed {
		c.problem(path, codeWarnNotInThisRelease, "", "the setting has no effect in this release")
	}
}
