-- depends: 0098.approvers_of_organizations

-- What people do with messages and events, as acts.
INSERT INTO ops.event_types VALUES
('message_edited', 'Somebody changed a message of their own'),
('event_changed', 'Somebody changed an event that they planned'),
('event_time_cancelled', 'Somebody called off one time of an event that repeats'),
('place_given', 'Somebody on the waiting list of an event got a place');
