package config

import (
	"reflect"
	"slices"
)

// Same reports whether two services are known to be the same in all that they say. Documents that were assembled from the same objects share lists
// and blocks, and that is what it goes by: true is certain, and false may be for want of a longer look.
func (s *Service) Same(o *Service) bool {
	return s.Name == o.Name && s.Site == o.Site && sameValues(s.Addresses, o.Addresses) && s.CNAME == o.CNAME && s.Host == o.Host && s.Port == o.Port &&
		sameList(s.Monitors, o.Monitors) && s.MaxConnections == o.MaxConnections && s.State == o.State && s.sameLoad(o) &&
		s.MonitorThreshold == o.MonitorThreshold && s.MaxBandwidth == o.MaxBandwidth && s.LoadThreshold == o.LoadThreshold && s.Capacity == o.Capacity &&
		s.Cost == o.Cost && s.HashID == o.HashID && s.SlowStart == o.SlowStart && sameList(s.PublicAddresses, o.PublicAddresses) && sameList(s.Views, o.Views) &&
		sameList(s.BackupServices, o.BackupServices) && s.NAPTR == o.NAPTR && s.Quorum == o.Quorum && sameLabels(s.Labels, o.Labels) && s.Comment == o.Comment &&
		s.Group == o.Group
}

// Same is Service.Same of virtual servers.
func (v *VirtualServer) Same(o *VirtualServer) bool {
	return v.Name == o.Name && sameList(v.Domains, o.Domains) && v.Method == o.Method && v.BackupMethod == o.BackupMethod && sameValues(v.Members, o.Members) &&
		v.Persistence == o.Persistence && v.SourceIPHash == o.SourceIPHash && v.ClientSubnet == o.ClientSubnet && v.MaxAnswers == o.MaxAnswers &&
		v.WhenAllDown == o.WhenAllDown && v.Backup == o.Backup && v.BackupHold == o.BackupHold && v.Spillover == o.Spillover &&
		v.OrderThreshold == o.OrderThreshold && v.ActiveOrder == o.ActiveOrder && v.DynamicWeight == o.DynamicWeight && v.Tolerance == o.Tolerance &&
		v.Score == o.Score && v.EffectiveState == o.EffectiveState && sameList(v.Policies, o.Policies) && sameLabels(v.Labels, o.Labels) && v.Comment == o.Comment
}

// SteersAs reports whether two sites are the same in all that decides about services but where within their region they are: what may differ is how nodes reach
// each other, the location in the region, and what is there for people.
func (s *Site) SteersAs(o *Site) bool {
	return s.Name == o.Name && s.TriggerMonitors == o.TriggerMonitors && s.Parent == o.Parent && slices.Equal(s.BackupParents, o.BackupParents) &&
		(s.AnswersDNS == o.AnswersDNS || s.AnswersDNS != nil && o.AnswersDNS != nil && *s.AnswersDNS == *o.AnswersDNS) && s.Foreign == o.Foreign &&
		s.AcceptAnnounced == o.AcceptAnnounced && s.Location.Region() == o.Location.Region()
}

// sitesSteerAs is Site.SteersAs of two lists.
func sitesSteerAs(a, b []Site) bool {
	return sameList(a, b) || slices.EqualFunc(a, b, func(x, y Site) bool { return x.SteersAs(&y) })
}

// SameAround reports whether two documents are known to have the same zones, monitors, views, locations and settings, and sites that steer alike (Site.SteersAs).
func (d *Document) SameAround(o *Document) bool {
	if len(d.Zones) != len(o.Zones) || !sitesSteerAs(d.Sites, o.Sites) || !reflect.DeepEqual(d.Monitors, o.Monitors) ||
		!reflect.DeepEqual(d.Views, o.Views) || !reflect.DeepEqual(d.Locations, o.Locations) || !reflect.DeepEqual(&d.Settings, &o.Settings) {
		return false // lists that are shared are compared at once
	}
	for i := range d.Zones {
		if !d.Zones[i].same(&o.Zones[i]) {
			return false
		}
	}
	return true
}

func (z *Zone) same(o *Zone) bool {
	return z.Name == o.Name && sameList(z.Nameservers, o.Nameservers) && z.Contact == o.Contact && z.Serial == o.Serial && z.TTL == o.TTL &&
		z.NegativeTTL == o.NegativeTTL && z.Records == o.Records && z.File == o.File && sameList(z.AllowQuery, o.AllowQuery) &&
		sameList(z.Primaries, o.Primaries) && sameList(z.Views, o.Views) && sameLabels(z.Labels, o.Labels) && z.Comment == o.Comment && z.Data == o.Data &&
		sameList(z.Transfer.Allow, o.Transfer.Allow) && sameList(z.Transfer.Notify, o.Transfer.Notify)
}

// sameLoad reports whether the load of two services is read in the same way. What services of groups have is made anew for each document.
func (s *Service) sameLoad(o *Service) bool {
	return s.Load == o.Load || s.Group != "" && o.Group != "" && reflect.DeepEqual(s.Load, o.Load)
}

// sameValues reports whether two lists have the same in them: what is made of groups has lists of its own in each document.
func sameValues[T comparable](a, b []T) bool { return sameList(a, b) || slices.Equal(a, b) }

// sameList reports whether two lists are one and the same.
func sameList[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// sameLabels reports whether two sets of labels are one and the same, or empty.
func sameLabels(a, b Labels) bool {
	return len(a) == len(b) && (len(a) == 0 || reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer())
}
