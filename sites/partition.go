package sites

import "fairlead/mep"

func (t *Tracker) heardSites(*site, *mep.ViewsReport) {}
