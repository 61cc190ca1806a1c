"""A bookstore: the bookshop with own endpoints, own data transfer objects and a report."""
