"""A parcel carrier (or a service that speaks for many): the state of parcels by number, and news since an id."""
