-- Items of one UTC day, in a fixed order. $day: the day.
SELECT * FROM items WHERE date = $day ORDER BY level DESC, item_id
