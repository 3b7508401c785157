"""The customer list: filters, order, pages, rows and export, and how it stays fast at a million customers.

A request for the list runs a fixed number of queries, each of which reads a number of rows that depends on the page,
not on the number of customers.

1. **The query string is the list.** `filters` reads it into a form; every field but order and page size is a filter,
   applied by one function. `customer_list.CustomerList` holds the result for one person: which customers match, how
   many, in which order. Counts, pages, the export (`export`) and *Select all matching* (`selection`) all use it, so
   they cannot disagree. A filter that cannot be read empties the list.

2. **Account flags.** Frozen, exhausted, monthly, one-time and referral are one number (`AccountFlags`, the column
   `state`), on the customer and again on its budget. There are eleven combinations. `status` turns the filters of
   status and budget type into the set of combinations that match. Customers of a restricted reseller count as frozen
   although their rows do not say so; for them the same filter becomes another set.

3. **Merged ranges.** There is an index for each column to sort by: partner, flags, column, key. A filter by flags is
   then a few ranges of that index, each already in order, and PostgreSQL merges them as it reads (`Merge Append`). So a
   page reads no more rows than are skipped and shown, and nothing is sorted. `ordering.SegmentBuilder` divides the list
   into these ranges; a `Segment` is what is merged from them. If the list is sorted by a column of budgets, customers
   without a value follow as a segment of their own. The estimate changes with every report, so instead of it the index
   has its rank, half a percent wide, and the database sorts the rows of one rank at a time. The exception is a
   distributor with so many resellers that there are over a hundred ranges: its list is sorted by the database.

4. **Pages by number, then by cursor.** Skipping rows costs time, so only the first hundred pages have numbers. Beyond,
   `pagination` starts at a cursor: the sort value and key of the row where another page ended. A cursor is part of the
   URL, so if the list is sorted by a name, it holds the key alone.

5. **Capped counts.** The page shows *1,000+* at most, so no count reads more than 1,001 rows. All matches, the frozen
   ones and the exhausted ones are counted in one statement, which skips the first of these if one of the others shows
   that there are more than 1,000.

6. **Few matches.** If PostgreSQL expects at most 10,000 matches of a search or another filter, walking through an index
   until a page is full could take long. They are all fetched and sorted instead, counted in Python and kept for the
   page. If there are more, they are common enough for the order of the index to lead to a page of them soon.

7. **Prepared rows.** An index yields the keys of a page. One prepared query (`rows.CUSTOMER_ROWS`) reads all that is
   shown of these customers, as plain values, and `rows.customer_rows` formats them: names masked, nothing in them that
   the person may not see. Jinja2 renders them.

8. **Cached SQL.** Building a query in Django takes longer than running it. So the SQL of lists without filters, or with
   filters by flags and reseller alone, is cached by owner, flags and order (`ordering.whole_list_segments`,
   `whole_list_count`, `retention`), and so is the HTML of filters that are not set. Only SQL and HTML are cached, never
   results.

`active_filters` names the filters that are set, each with a link that removes it; `resellers` is the list of a
distributor's resellers. `partnercenter.lib.prepared` has the tools for counting, merging and preparing.
"""
